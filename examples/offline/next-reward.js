/*
 * The next reward, without a network: runs a table that `cm-engine compile` has written (docs/table.md has every field).
 * As a script it defines `nextReward`; next-reward.mjs is the same as an ES module. It only looks up and never mutates.
 */
globalThis.nextReward = (() => {
  const FORMAT = "cm-engine-table/2";
  const put = (list, place, value) => Object.assign([...list], { [place]: value });

  /** The state before the first visit: plain numbers, to be stored as JSON. */
  const begin = (table) => {
    if (table.format !== FORMAT) throw new Error(`expected a table of the format ${FORMAT}, got ${table.format}`);
    const zeros = table.groups.map(() => 0);
    return { places: zeros, tills: zeros, states: table.automata.map((automaton) => automaton.start) };
  };

  /** What comes next of each group: the visit or the event, its week and day if it has any, and the results it may have. */
  const due = (table, state) =>
    table.groups.flatMap((group, number) => {
      const slot = group.slots[state.places[number]];
      if (!slot) return [];
      const [occasion, visit, index, kind] = slot;
      const { target, event, visits } = table.occasions[occasion];
      const { letters, tables } = table.automata[index];
      const [week, day] = visits?.[visit] ?? [];
      const results = Object.keys(letters[tables[kind].letters]);
      return [{ group: number, occasion, target, event, visit: visit + 1, week, day, results }];
    });

  /** What a result does to an automaton: its number, the state after it, the outcome, and 1 if the visit waits. */
  const moved = (table, { states }, index, kind, result) => {
    const { letters, tables } = table.automata[index];
    const columns = letters[tables[kind].letters], known = Object.keys(columns);
    if (!known.includes(result)) throw new Error(`there is no result "${result}" here; expected one of: ${known.join(" ")}`);
    return [index, ...tables[kind].rows[states[index]][columns[result]]];
  };

  /** What a result pays, why, and the state after it; `stays` if the visit waits for another result. */
  const step = (table, state, result, group = 0) => {
    const [{ slots, till }, place] = [table.groups[group] ?? { slots: [] }, state.places[group]];
    if (!slots[place]) throw new Error(`every visit of group ${group} is decided`);
    const [, , index, kind, day, readers = []] = slots[place];
    const first = moved(table, state, index, kind, result), [, , seen, waits] = first;
    const others = waits ? [] : readers.map(([reader, at]) => moved(table, state, reader, at, table.outcomes[seen][2]));
    const next = { places: put(state.places, group, place + (waits ? 0 : 1)), tills: [...state.tills], states: [...state.states] };
    const [awards, reasons] = [{}, []];
    for (const [automaton, after, outcome] of [first, ...others]) {
      const [[part, why], held] = [table.outcomes[outcome], next.tills[group]];
      const [left, pay = part] = [waits ? held : till[day].rows[held][till[day].parts.indexOf(part)]].flat();
      const [paid, more = []] = table.pays[pay];
      for (const unit of Object.keys(paid)) awards[unit] = (awards[unit] ?? 0) + paid[unit];
      reasons.push(...table.reasons[why], ...more);
      [next.tills[group], next.states[automaton]] = [left, after];
    }
    return { state: next, awards, reasons, stays: Boolean(waits) };
  };

  return { begin, due, step };
})();
