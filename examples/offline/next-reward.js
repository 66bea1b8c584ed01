/*
 * The next reward, without a network: runs a table that `cm-engine compile` has written (docs/table.md has every field).
 * As a script it defines `nextReward`; next-reward.mjs is the same as an ES module. It only looks up and never mutates.
 */
globalThis.nextReward = (() => {
  const FORMAT = "cm-engine-table/1";
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

  /** What a result pays, why, and the state after it; `stays` if the visit waits for another result. */
  const step = (table, state, result, group = 0) => {
    const slot = table.groups[group]?.slots[state.places[group]];
    if (!slot) throw new Error(`every visit of group ${group} is decided`);
    const [, , index, kind, day] = slot;
    const { letters, tables } = table.automata[index];
    const columns = letters[tables[kind].letters];
    if (!Object.hasOwn(columns, result)) {
      throw new Error(`there is no result "${result}" here; expected one of: ${Object.keys(columns).join(" ")}`);
    }
    const [after, outcome, waits] = tables[kind].rows[state.states[index]][columns[result]];
    const [part, why] = table.outcomes[outcome];
    const till = table.groups[group].till[day];
    const cell = waits ? state.tills[group] : till.rows[state.tills[group]][till.parts.indexOf(part)];
    const [left, pay = part] = [cell].flat();
    const [awards, more = []] = table.pays[pay];
    const next = {
      places: put(state.places, group, state.places[group] + (waits ? 0 : 1)),
      tills: put(state.tills, group, left),
      states: put(state.states, index, after),
    };
    return { state: next, awards, reasons: [...table.reasons[why], ...more], stays: Boolean(waits) };
  };

  return { begin, due, step };
})();
