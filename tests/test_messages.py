"""Messages: what is said, to whom, in which words and when; and that no words tell a stranger what they are about."""

import json
import string
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm_engine import ReportError, catalogue, parse_program
from cm_engine.errors import ProblemsError
from cm_engine.journal import Act
from cm_engine.messages.composing import is_still_due, reminders
from cm_engine.messages.contact import (
    OPTED_IN,
    OPTED_OUT,
    Consent,
    ContactState,
    Handle,
    Wish,
    dump,
    fold,
    load,
)
from cm_engine.messages.draft import Draft, draft
from cm_engine.messages.guard import (
    NEVER_BY_DEFAULT,
    NEVER_IN_A_MESSAGE,
    neutral_name,
    told,
)
from cm_engine.messages.kinds import (
    CHANNELS,
    EVERY,
    KINDS,
    PARTICIPANT,
    SIGNAL,
    TO_TEAM,
    TOPIC_OF,
    audience_of,
)
from cm_engine.messages.notice import NOTICE
from cm_engine.messages.policy import MessagePolicy
from cm_engine.messages.quiet import NEVER_QUIET, NIGHT, Quiet, next_allowed
from cm_engine.messages.reading import GRADE_MAX, grade
from cm_engine.messages.rendering import AMOUNT, TellingError, rendered
from cm_engine.messages.replies import WORDS, reply_of
from cm_engine.messages.sending import Never, NotYet, Ready, may_send
from cm_engine.messages.signals import Fired, Seen, drafts_of, signals
from cm_engine.messages.templates import (
    NEUTRAL,
    PLACEHOLDERS,
    SAMPLES,
    SPOKEN,
    TEMPLATES,
    Template,
    problems,
    program_templates,
)
from cm_engine.program.checks.words import NEVER_SAID
from cm_engine.program.words import Turn

ZONE = "America/Los_Angeles"
NOON = datetime(2026, 1, 5, 20, tzinfo=UTC)
DAY = date(2026, 1, 5)
FULL = MessagePolicy(tells=frozenset({"updates", "visits", "absences", "progress"}))
VALUES: dict[str, Any] = {
    "visit_day": "2026-01-12",
    "visit_time": "09:30",
    "last_day": "2026-02-01",
    "award": ("$11.50",),
    "next": ("$13.00",),
}
ONLY_PROGRESS = {word for word in NEVER_BY_DEFAULT if word not in {*NEVER_SAID, *NEVER_IN_A_MESSAGE}}

templates = st.sampled_from(TEMPLATES)
channels = st.sampled_from(CHANNELS)


def samples() -> dict[str, Any]:
    return {name: SAMPLES[takes] for name, takes in PLACEHOLDERS.items()}


def handle(channel: str = "sms", recipient: str = PARTICIPANT, **given: Any) -> Handle:
    known = Handle(recipient, channel, "sealed", "key", "print", "en", ZONE, "21:00-08:00", 1)  # type: ignore[arg-type]
    return known._replace(**given)


def consent(scopes: Any = ("updates",), recipient: str = PARTICIPANT, **given: Any) -> Consent:
    purpose = "reminders and news of the treatment"
    known = Consent(
        "c-1", "North", recipient, CHANNELS, scopes, purpose, "2026-01-01", "2026-01-01", "2026-12-31"
    )
    return known._replace(**given)


def contact(*consents: Consent, handles: Any = None, wishes: Any = ()) -> ContactState:
    return ContactState("p-1", (handle(),) if handles is None else tuple(handles), consents, tuple(wishes))


def reminder(recipient: str = PARTICIPANT, **given: Any) -> Draft:
    return draft("visit reminder", "p-1", "e-1", "visit 3", VALUES, recipient=recipient, **given)


def answered(made: Draft, state: ContactState, at: datetime = NOON, policy: MessagePolicy = FULL) -> Any:
    return may_send(made, state, at, policy)


# --- what templates say ---


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.name)
def test_no_template_with_plain_values_tells_a_stranger_what_it_is_about(template: Template) -> None:
    for kind in template.kinds:
        for channel in CHANNELS:
            words = rendered(template, samples(), kind=kind, channel=channel)
            assert told(f"{words.subject} {words.text}", progress=template.scope == "progress") == ()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.name)
def test_only_what_tells_of_progress_says_what_was_earned(template: Template) -> None:
    words = rendered(template, samples(), kind=template.kinds[0], channel="sms")
    if template.scope in NEUTRAL:
        assert not any(sign in words.text for sign in "$€")
        assert told(words.text) == ()


HOSTILE = [
    *NEVER_SAID, *NEVER_IN_A_MESSAGE, "Ur\u200bine", "CÓCAINE", "m e t h", "u-r-i-n-e", "\uff54\uff45\uff53\uff54", "\u0442est",
    "positive\u00ad", "dr\u0301ug", "5urine", "a m e t h", "Clinics", "test!", "(sample)",
]  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.name)
def test_no_template_with_a_hostile_value_is_rendered(template: Template) -> None:
    for word, name in product(HOSTILE, template.fills):
        for value in (word, f"$5 {word}", (f"5 {word}",), f"A good {word} week"):
            with pytest.raises(ReportError):
                rendered(template, {**samples(), name: value}, kind=template.kinds[0], channel="sms")


words = st.sampled_from([*NEVER_SAID, *NEVER_IN_A_MESSAGE, *NEVER_BY_DEFAULT, "a", "good", "week", "five"])
phrases = st.lists(words, min_size=1, max_size=4).map(" ".join)
amounts = st.lists(
    st.from_regex(AMOUNT, fullmatch=True) | st.builds("{} {}".format, st.integers(0, 99), phrases), max_size=3
)
anything = st.text() | phrases | st.dates().map(str) | amounts.map(tuple)


@given(templates, st.fixed_dictionaries({}, optional=dict.fromkeys(PLACEHOLDERS, anything)), channels)
def test_no_template_with_any_values_reveals_denied_words(
    template: Template, values: dict[str, Any], channel: Any
) -> None:
    try:
        words = rendered(template, {**samples(), **values}, kind=template.kinds[0], channel=channel)
    except ReportError:
        return
    assert told(words.text, progress=template.scope == "progress") == ()
    assert "\n" not in words.subject


@given(st.text(alphabet=string.ascii_letters + " -.'", max_size=30), st.sampled_from(sorted(NEVER_SAID)))
def test_a_denied_word_is_found_wherever_it_stands(around: str, word: str) -> None:
    assert told(f"{around} {word} {around}")
    assert told(f"{around} {word.upper()}. {around}")
    assert told(f"{around} {'.'.join(word)} {around}")


@pytest.mark.parametrize(
    "text",
    [
        "You have an update. Sign in to see it.",
        "We will see you on Monday, January 5 at 9:30 AM. Reply YES to confirm, STOP to end.",
        "Le esperamos el lunes 5 de enero a las 9:30.",
        "The latest news of the contest",
    ],
)
def test_plain_words_are_no_denied_ones(text: str) -> None:
    assert told(text) == ()


@pytest.mark.parametrize(
    "text", ["$5", "5.00", "USD 5", "MRN 00123456", "123-45-6789", "call 555 123 0100", "5,00"]
)
def test_an_amount_and_the_number_of_a_person_are_denied(text: str) -> None:
    assert told(text)


def test_what_a_consent_to_progress_allows_is_only_what_was_earned() -> None:
    assert told("You earned $5.00", progress=True) == ()
    assert told("Your test: you earned $5.00", progress=True) == ("test",)
    assert {word for word in ONLY_PROGRESS if told(word, progress=True)} == set()


@pytest.mark.parametrize(
    "name", ["Recovery Updates", "sober.example", "MyRehab", "newstest", "two\nlines", "", " ", "North"]
)
def test_a_name_that_tells_something_is_refused(name: str) -> None:
    with pytest.raises(ReportError, match="sender: "):
        neutral_name("sender", name, also=["North"])


def test_a_telling_message_says_which_template_and_what() -> None:
    [milestone] = [
        Template("m", 1, "en", ("reward earned",), "participant", "progress", "{milestone}: well done.")
    ]
    with pytest.raises(
        TellingError, match=r"template m/en@1 would tell .*: clean; nothing is sent"
    ) as refused:
        rendered(milestone, {"milestone": "Four clean weeks"}, kind="reward earned", channel="sms")
    assert (refused.value.template, refused.value.found) == ("m/en@1", ("clean",))


def test_names_that_a_host_denies_are_found_too() -> None:
    with pytest.raises(ProblemsError, match="it says 'update'"):
        MessagePolicy(denied=("update",))


# --- templates as data ---


def test_every_kind_has_words_in_every_language_without_any_value_to_fill_in() -> None:
    for language in SPOKEN:
        for kind in KINDS:
            plain = [each for each in TEMPLATES if each.language == language and kind in each.kinds]
            assert any(not each.fills - {"reference"} and each.scope == "updates" for each in plain)


def test_every_template_is_in_both_languages_with_the_same_placeholders() -> None:
    by_language = [
        {each.id: each for each in TEMPLATES if each.language == language} for language in ("en", "es")
    ]
    english, spanish = by_language
    assert english.keys() == spanish.keys()
    for id_, template in english.items():
        assert template._replace(language="es", text="") == spanish[id_]._replace(text="")
        assert template.fills == spanish[id_].fills


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.name)
def test_every_message_is_read_after_six_years_of_school(template: Template) -> None:
    words = rendered(template, samples(), kind=template.kinds[0], channel="push").text
    assert grade(words, template.language) <= GRADE_MAX


def test_all_messages_of_a_language_together_are_read_after_six_years_of_school() -> None:
    for language in SPOKEN:
        texts = [
            rendered(each, samples(), kind=each.kinds[0], channel="push").text
            for each in TEMPLATES
            if each.language == language
        ]
        assert grade(" ".join(texts), language) <= GRADE_MAX


@pytest.mark.parametrize(
    ("text", "scope", "says"),
    [
        ("Your {result} is there.", "progress", "nothing fills in {result}"),
        ("Your update {", "updates", "a brace stands alone"),
        ("You have {award!r} more.", "progress", "a placeholder is a name only"),
        ("You have {award} more.", "updates", "it fills in award: its scope has to be progress"),
        ("Your test is there.", "progress", "it says 'test'"),
        ("You earned it.", "visits", "it says 'earned'"),
        (
            "Notwithstanding unanticipated organizational circumstances, participation necessitates confirmation.",
            "updates",
            "years of school, and 6 are the most",
        ),
    ],
)
def test_what_is_wrong_with_a_template_is_said(text: str, scope: Any, says: str) -> None:
    wrong = Template("own", 1, "en", ("reward earned",), "participant", scope, text)
    assert any(says in each.message for each in problems([wrong]))
    with pytest.raises(ProblemsError):
        MessagePolicy(templates=(wrong,))


def test_two_templates_of_one_id_and_language_are_refused() -> None:
    assert [each.message for each in problems([TEMPLATES[0], TEMPLATES[0]])] == [
        "another template has this id and language"
    ]


def test_the_texts_of_a_program_go_out_only_with_a_consent_to_progress_unless_they_are_plain_reminders() -> (
    None
):
    found = program_templates(catalogue.program("template-integrated-care"))
    scopes = {(each.kinds[0], each.language): each.scope for each in found}
    assert scopes["visit reminder", "en"] == "visits"
    assert {scope for (kind, _), scope in scopes.items() if kind != "visit reminder"} == {"progress"}
    assert problems(found) == []


def test_the_texts_of_a_program_take_the_place_of_ours() -> None:
    own = program_templates(catalogue.program("template-integrated-care"))
    policy = replace(
        FULL, templates=(*[each for each in own if each.kinds == ("visit reminder",)], *TEMPLATES)
    )
    sent = answered(reminder(), contact(consent(("visits",))), policy=policy)
    assert sent.message.text.startswith("We expect you on Monday, January 12.")
    assert sent.message.template == "template-integrated-care@1:reminder/en@1"


def test_a_missing_value_and_one_of_another_kind_are_refused() -> None:
    [earned] = [each for each in TEMPLATES if each.name == "earned/en@1"]
    for values in (
        {},
        {"award": ()},
        {"award": ("much",)},
        {"award": ("$5\n",)},
        {"award": ("5 https://x",)},
    ):
        with pytest.raises(ReportError, match="award: "):
            rendered(earned, values, kind="reward earned", channel="sms")
    [day] = [each for each in TEMPLATES if each.name == "visit-day/en@1"]
    for value in ("soon", "2026-02-30", ("2026-01-05",)):
        with pytest.raises(ReportError, match="visit_day: expected day"):
            rendered(day, {"visit_day": value}, kind="visit reminder", channel="sms")


def test_several_amounts_are_said_in_the_words_of_the_language() -> None:
    amounts = {"award": ("$5.00", "2 draws")}
    texts = [
        rendered(each, amounts, kind="reward earned", channel="push").text
        for each in TEMPLATES
        if each.id == "earned"
    ]
    assert texts == ["Well done. You earned $5.00 and 2 draws.", "Bien hecho. Ha ganado $5.00 y 2 draws."]


def test_the_way_out_is_said_where_a_message_can_be_answered() -> None:
    [update] = [each for each in TEMPLATES if each.name == "update/es@1"]
    texts = {
        channel: rendered(update, {}, kind="encouragement", channel=channel).text for channel in CHANNELS
    }
    out = " Responda ALTO para no recibir más."
    assert [channel for channel, text in texts.items() if text.endswith(out)] == ["sms", "email"]


def test_all_subjects_are_one() -> None:
    subjects = {rendered(each, samples(), kind=each.kinds[0], channel="email").subject for each in TEMPLATES}
    assert subjects == {"You have an update", "Tiene un aviso"}


# --- reading level ---


@pytest.mark.parametrize(
    ("text", "language", "level"),
    [
        ("The cat sat on the mat.", "en", 0),
        ("The Australian platypus is seemingly a hybrid of a mammal and reptilian creature.", "en", 12),
        ("Mi casa es azul.", "es", 4),
        ("La responsabilidad institucional condiciona inevitablemente la administración pública.", "es", 13),
    ],
)
def test_a_text_has_its_grade(text: str, language: str, level: int) -> None:
    assert grade(text, language) == level


def test_a_longer_sentence_and_longer_words_need_more_school() -> None:
    assert grade("We see you. We see you. We see you.", "en") <= grade(
        "We see you and we see you and we see you.", "en"
    )
    assert grade("We use it.", "en") < grade("We operationalize it.", "en")


# --- quiet hours ---


zones = st.sampled_from(
    [
        ZONE,
        "America/New_York",
        "Europe/London",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "UTC",
        "America/Sao_Paulo",
    ]
)
times = st.times(timezones=st.none()).map(lambda each: each.replace(second=0, microsecond=0, fold=0))
moments = st.datetimes(datetime(2025, 12, 1), datetime(2027, 1, 31), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
changes = st.sampled_from(
    [datetime(2026, 3, 8, 10, tzinfo=UTC), datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC),
     datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 4, 4, 15, tzinfo=UTC)]
)  # fmt: skip
near_changes = st.builds(
    lambda change, minutes: change + timedelta(minutes=minutes), changes, st.integers(-600, 600)
)


@given(moments | near_changes, zones, times, times)
def test_the_next_moment_is_the_first_one_that_is_not_quiet(
    at: datetime, zone: str, begins: time, ends: time
) -> None:
    quiet, place = Quiet(begins, ends), ZoneInfo(zone)
    found = next_allowed(at, zone, quiet)
    assert found >= at
    assert not quiet.covers(found.astimezone(place).time())
    assert (found == at) == (not quiet.covers(at.astimezone(place).time()))
    between = at
    while between < found:
        assert quiet.covers(between.astimezone(place).time())
        between += timedelta(minutes=7)


@given(moments | near_changes, zones, times, times)
def test_a_moment_that_is_allowed_stays_so_when_it_is_asked_again(
    at: datetime, zone: str, begins: time, ends: time
) -> None:
    once = next_allowed(at, zone, Quiet(begins, ends))
    assert next_allowed(once, zone, Quiet(begins, ends)) == once


@pytest.mark.parametrize(
    ("at", "hours", "expected"),
    [
        (
            "2026-03-08T08:30+00:00",
            "21:00-02:30",
            "2026-03-08T10:00+00:00",
        ),  # half past two does not come: the clock goes to three
        ("2026-11-01T07:00+00:00", "21:00-01:30", "2026-11-01T08:30+00:00"),  # the first of two
        ("2026-11-01T09:15+00:00", "21:00-01:30", "2026-11-01T09:30+00:00"),  # and the second: quiet again
        (
            "2026-03-08T13:00+00:00",
            "21:00-08:00",
            "2026-03-08T15:00+00:00",
        ),  # eight in the morning, in summer time
        ("2026-01-05T20:00+00:00", "21:00-08:00", "2026-01-05T20:00+00:00"),
    ],
)
def test_quiet_hours_end_as_the_clock_on_the_wall_says(at: str, hours: str, expected: str) -> None:
    found = next_allowed(datetime.fromisoformat(at), ZONE, Quiet.of(hours))
    assert found == datetime.fromisoformat(expected)


def test_hours_that_begin_when_they_end_cover_nothing() -> None:
    assert not any(NEVER_QUIET.covers(time(hour)) for hour in range(24))
    assert str(NIGHT) == "21:00-08:00"


@pytest.mark.parametrize("text", ["", "21:00", "21-25", "night", "21:00+00:00-08:00"])
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ReportError, match="quiet: expected hours such as 21:00-08:00"):
        Quiet.of(text)


# --- what somebody writes back ---


@pytest.mark.parametrize("word", ["stop", "quit", "revoke", "opt out", "cancel", "unsubscribe", "end"])
@pytest.mark.parametrize(
    "form", [str, str.upper, str.title, "{}.".format, " {}!! ".format, "please {}".format]
)
def test_every_word_of_the_rule_ends_messages_in_whatever_form(word: str, form: Any) -> None:
    assert reply_of(form(word)) == "stop"


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("ALTO", "stop"), ("Por favor, cancele.", "stop"), ("no mas", "stop"), ("opt-out", "stop"), ("STOP ALL", "stop"),
        ("Stop, thank you", "stop"), ("START", "start"), ("yes", "confirm"), ("Sí", "confirm"), ("si", "confirm"),
        ("help", "help"), ("ayuda", "help"), ("don't stop", "other"), ("I want to end this", "other"), ("", "other"),
        ("please", "other"), ("I can't come on Friday", "other"), ("🛑", "other"),
    ],
)  # fmt: skip
def test_what_somebody_writes_has_one_meaning_or_goes_to_a_person(text: str, reply: str) -> None:
    assert reply_of(text) == reply


def test_no_word_means_two_things() -> None:
    said = [word for words in WORDS.values() for word in words.split("|")]
    assert len(said) == len(set(said))


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert reply_of(text) in WORDS.keys() | {"other"}


# --- whether it may be said now ---


def test_with_a_handle_a_consent_and_no_objection_it_may_be_said() -> None:
    sent = answered(reminder(), contact(consent(("visits",))))
    assert isinstance(sent, Ready)
    assert (sent.channel, sent.consent, sent.with_notice) == ("sms", "c-1", False)
    assert (
        sent.message.text
        == "We will see you on Monday, January 12 at 9:30 AM. Reply YES to confirm, STOP to end."
    )


def test_without_a_handle_or_a_consent_it_never_is() -> None:
    assert answered(reminder(), contact(consent(), handles=())) == Never(
        "there is no handle of 'participant'"
    )
    why = "no consent in force on 2026-01-05 lets it be told to 'participant' by sms"
    assert answered(reminder(), contact()) == Never(why)
    assert answered(reminder(), contact(consent(channels=("email",)))) == Never(why)
    assert answered(reminder(), contact(consent(recipient="s-1"))) == Never(why)


def test_no_reason_names_an_address() -> None:
    assert "sealed" not in answered(reminder(), contact()).why


def test_the_words_are_the_fullest_that_both_the_consent_and_the_host_allow() -> None:
    earned = draft("reward earned", "p-1", "e-1", "decision 4", VALUES)
    neutral, full = MessagePolicy(), FULL
    every = consent(("updates", "visits", "progress"))
    told_by = {
        name: answered(earned, contact(given), policy=policy).message.template
        for name, given, policy in (
            ("both", every, full),
            ("host does not", every, neutral),
            ("consent does not", consent(("updates", "visits")), full),
        )
    }
    assert told_by == {
        "both": "earned-next/en@1",
        "host does not": "update/en@1",
        "consent does not": "update/en@1",
    }


def test_by_default_nothing_that_leaves_says_what_was_earned() -> None:
    every = consent(("updates", "visits", "absences", "progress"))
    for kind in KINDS:
        if kind not in TO_TEAM:
            said = draft(kind, "p-1", "e-1", "x", VALUES)
            sent = answered(said, contact(every), policy=MessagePolicy())
            assert told(f"{sent.message.subject} {sent.message.text}") == ()


def test_a_consent_to_visits_alone_gives_no_right_to_say_that_there_is_an_update() -> None:
    earned = draft("reward earned", "p-1", "e-1", "decision 4", VALUES)
    assert isinstance(answered(earned, contact(consent(("visits",)))), Never)


revocations = st.datetimes(
    datetime(2025, 6, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    datetime(2027, 6, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
days = st.dates(date(2025, 6, 1), date(2027, 6, 1))


@given(days, days, st.none() | days, st.none() | revocations)
def test_a_consent_holds_from_its_first_day_to_its_last_and_not_once_it_is_revoked_whatever_the_clock_says(
    on: date, begins: date, until: date | None, revoked: datetime | None
) -> None:
    at = datetime.combine(on, time(12), ZoneInfo(ZONE))
    given = consent(
        ("visits",),
        begins=begins.isoformat(),
        until=until.isoformat() if until else "",
        revoked_at=revoked.isoformat(timespec="microseconds") if revoked else "",
    )
    holds = begins <= on and (until is None or on <= until) and revoked is None
    assert isinstance(answered(reminder(), contact(given), at), Ready) == holds


def test_which_day_it_is_is_said_by_the_zone_of_the_recipient() -> None:
    last_day = contact(consent(("visits",), until="2026-01-05"), handles=[handle(quiet=str(NEVER_QUIET))])
    late = datetime(2026, 1, 6, 7, 59, tzinfo=UTC)  # one minute to midnight
    assert isinstance(answered(reminder(), last_day, late), Ready)
    assert isinstance(answered(reminder(), last_day, late + timedelta(minutes=1)), Never)


@pytest.mark.parametrize(
    ("wishes", "may"),
    [
        ([("sms", "visits", True)], False),
        ([("sms", "progress", True)], True),
        ([("email", EVERY, True)], True),
        ([(EVERY, EVERY, True)], False),
        ([(EVERY, EVERY, True), ("sms", "visits", False)], True),
        ([(EVERY, EVERY, True), (EVERY, "progress", False)], False),
        ([("sms", "visits", False), (EVERY, EVERY, True)], False),
    ],
)
def test_the_last_word_on_a_channel_and_a_topic_counts(
    wishes: list[tuple[str, str, bool]], may: bool
) -> None:
    said = [Wish(PARTICIPANT, channel, topic, out, "2026-01-02") for channel, topic, out in wishes]
    assert isinstance(answered(reminder(), contact(consent(("visits",)), wishes=said)), Ready) == may


said = st.tuples(
    st.sampled_from([*CHANNELS, EVERY]), st.sampled_from(["visits", "progress", EVERY]), st.booleans()
)


@given(st.lists(said, max_size=12), st.sampled_from(CHANNELS), st.sampled_from(["visits", "progress"]))
def test_what_is_kept_of_many_words_comes_to_the_last_one_that_is_about_it(
    words: list[tuple[str, str, bool]], channel: Any, topic: Any
) -> None:
    state = ContactState("p-1")
    for seq, (by, on, out) in enumerate(words, 1):
        body = {"recipient": PARTICIPANT, "channel": by, "topic": on}
        act = Act(
            "@contact/p-1", seq, OPTED_OUT if out else OPTED_IN, "s", f"k-{seq}", "x", "2026", body, {}, ""
        )
        state = fold(state, act)
    about = [out for by, on, out in words if by in {channel, EVERY} and on in {topic, EVERY}]
    assert state.is_out(PARTICIPANT, channel, topic) == (bool(about) and about[-1])
    assert load(dump(state)) == state
    assert len(state.wishes) <= 15


def test_in_quiet_hours_the_next_moment_is_returned_and_then_it_may_be_sent() -> None:
    night = datetime(2026, 1, 6, 6, tzinfo=UTC)
    later = answered(reminder(), contact(consent(("visits",))), night)
    assert later == NotYet(datetime(2026, 1, 6, 16, tzinfo=UTC), "there are quiet hours")
    assert isinstance(answered(reminder(), contact(consent(("visits",))), later.until), Ready)


def test_what_would_come_too_late_never_comes() -> None:
    night = datetime(2026, 1, 6, 6, tzinfo=UTC)
    due = reminder(useless_after=night + timedelta(hours=2))
    assert answered(due, contact(consent(("visits",))), night) == Never("it would come too late")


def test_before_it_is_due_it_is_not_sent() -> None:
    due = reminder(not_before=NOON + timedelta(hours=1))
    assert answered(due, contact(consent(("visits",)))) == NotYet(
        NOON + timedelta(hours=1), "it is not due yet"
    )


def test_the_first_handle_by_which_it_may_be_said_is_taken() -> None:
    night = datetime(2026, 1, 6, 6, tzinfo=UTC)
    handles = [handle("sms"), handle("push", zone="Asia/Tokyo"), handle("email", zone="Asia/Tokyo")]
    state = contact(consent(("visits",)), handles=handles)
    assert answered(reminder(), state).channel == "sms"
    assert answered(reminder(), state, night).channel == "push"
    assert (
        answered(
            reminder(), contact(consent(("visits",), channels=("email",)), handles=handles), night
        ).channel
        == "email"
    )


@pytest.mark.parametrize(
    ("language", "template"), [("es", "es"), ("es-MX", "es"), ("pt-BR", "en"), ("en-GB", "en")]
)
def test_the_language_is_that_of_the_handle_or_else_of_the_host(language: str, template: str) -> None:
    state = contact(consent(("visits",)), handles=[handle(language=language)])
    assert answered(reminder(), state).message.language == template


def test_the_language_of_the_reader_goes_before_fuller_words_in_another() -> None:
    only_english = tuple(each for each in TEMPLATES if each.language == "en" or each.id == "update")
    state = contact(consent(("visits", "updates")), handles=[handle(language="es")])
    sent = answered(reminder(), state, policy=replace(FULL, templates=only_english))
    assert sent.message.template == "update/es@1"


# --- supporters ---


def test_a_supporter_is_told_only_with_a_consent_that_names_them() -> None:
    named, other = handle(recipient="s-1"), reminder("s-1")
    assert isinstance(answered(other, contact(consent(("visits",)), handles=[named])), Never)
    assert isinstance(answered(other, contact(consent(("visits",), "s-2"), handles=[named])), Never)
    assert isinstance(answered(other, contact(consent(("visits",), "s-1"), handles=[named])), Ready)


def test_what_a_supporter_is_told_goes_with_the_notice_and_what_the_consent_allows() -> None:
    sent = answered(reminder("s-1"), contact(consent(("visits",), "s-1"), handles=[handle(recipient="s-1")]))
    text, _, rest = sent.message.text.partition("\n\n")
    assert sent.with_notice
    assert text == "A visit you were asked to help with is on Monday, January 12. Reply STOP to end."
    assert rest.splitlines() == [NOTICE, "Sent with consent c-1 to tell of visits, until December 31, 2026."]


def test_a_host_may_give_the_long_notice_instead() -> None:
    policy, state = (
        replace(FULL, notice="Statement 1."),
        contact(consent(("visits",), "s-1"), handles=[handle(recipient="s-1")]),
    )
    assert answered(reminder("s-1"), state, policy=policy).message.text.splitlines()[2] == "Statement 1."


def test_a_supporter_hears_of_an_absence_only_if_the_consent_says_so() -> None:
    missed = draft("missed visit", "p-1", "e-1", "decision 4", VALUES, recipient="s-1")
    for scopes, expected in ((("visits", "progress"), Never), (("absences",), Ready)):
        state = contact(consent(scopes, "s-1"), handles=[handle(recipient="s-1")])
        assert isinstance(answered(missed, state), expected)


@pytest.mark.parametrize("kind", ["encouragement", "next reward", "reward expiring"])
def test_of_a_slip_and_of_amounts_a_supporter_never_hears(kind: Any) -> None:
    said = draft(kind, "p-1", "e-1", "x", VALUES, recipient="s-1")
    every = consent(("updates", "visits", "absences", "progress"), "s-1")
    assert isinstance(answered(said, contact(every, handles=[handle(recipient="s-1")])), Never)


def test_no_words_for_a_supporter_say_an_amount() -> None:
    assert [
        each.name for each in TEMPLATES if each.audience == "supporter" and each.fills - {"visit_day"}
    ] == []


# --- the care team ---


def test_a_signal_goes_to_its_role_and_names_nobody() -> None:
    policy = MessagePolicy(team={"counselor": ("email", "team-3@example.org")})
    [said] = drafts_of([Fired("lapse", "stimulants", 4, ("counselor",))], "p-1", "e-1")
    sent = answered(said, contact(), policy=policy)
    assert (sent.channel, sent.address, sent.handle, sent.consent) == (
        "email",
        "team-3@example.org",
        None,
        "",
    )
    assert sent.message.text == f"There is an update for your team: {said.reference}. Sign in to see it."
    assert audience_of(said.recipient) == "team"
    for secret in ("p-1", "e-1", "lapse", "stimulants"):
        assert secret not in sent.message.text


@pytest.mark.parametrize("kind", [each for each in KINDS if each not in TO_TEAM])
def test_what_is_meant_for_the_participant_never_goes_to_the_team(kind: Any) -> None:
    policy = replace(FULL, team={"counselor": ("email", "team-3@example.org")})
    said = draft(kind, "p-1", "e-1", "x", VALUES, recipient="role:counselor")
    assert isinstance(answered(said, contact(consent(("updates", "progress")))), Never)
    assert isinstance(answered(said, contact(consent(("updates", "progress"))), policy=policy), Never)


def test_the_team_is_told_in_the_language_of_the_host() -> None:
    policy = MessagePolicy(team={"counselor": ("email", "team-3@example.org")}, language="es")
    said = draft(SIGNAL, "p-1", "e-1", "x", {}, recipient="role:counselor")
    assert answered(said, contact(), policy=policy).message.text.startswith("Hay un aviso para su equipo:")
    assert isinstance(answered(said, contact(), policy=replace(policy, language="pt")), Never)


def test_a_role_without_an_address_is_said_to_have_none() -> None:
    said = draft(SIGNAL, "p-1", "e-1", "x", {}, recipient="role:prescriber")
    assert answered(said, contact()) == Never("no address of the role 'prescriber' is configured")


@pytest.mark.parametrize(
    "given",
    [
        {"tells": frozenset({"everything"})},
        {"remind_days": (-1,)},
        {"expiry_days": (1000,)},
        {"team": {"counselor": ("email", "nobody")}},
        {"team": {"counselor": ("fax", "1")}},
    ],
)
def test_a_policy_that_is_none_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ReportError):
        MessagePolicy(**given)


# --- what gives reason to say something ---


def test_a_draft_is_the_same_for_ever_and_goes_through_json() -> None:
    made = reminder(not_before=NOON, useless_after=NOON + timedelta(days=1))
    assert made.id == reminder().id
    assert Draft.of(json.loads(json.dumps(made.form()))) == made
    assert "p-1" not in made.id


def test_two_things_that_are_said_have_two_ids() -> None:
    ids = {
        draft(kind, participant, enrollment, about, {}, recipient=recipient).id
        for kind in KINDS
        for participant in ("p-1", "p-2")
        for enrollment in ("e-1", "e-2")
        for about in ("a", "b")
        for recipient in (PARTICIPANT, "s-1")
    }
    assert len(ids) == len(KINDS) * 16


def visit(on: date, **given: Any) -> Any:
    known = {
        "enrollment": "e-1",
        "participant": "p-1",
        "target": "t",
        "number": 3,
        "on": on,
        "status": "planned",
    }
    return SimpleNamespace(**known | given)


@given(days, st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True), times, zones)
def test_a_reminder_is_due_at_its_time_of_the_day_where_the_person_is(
    on: date, ahead: list[int], at: time, zone: str
) -> None:
    policy = MessagePolicy(remind_days=tuple(ahead), remind_at=at)
    made = list(reminders([visit(on)], zone, policy=policy))
    assert len({each.id for each in made}) == len(ahead)
    for each, days_before in zip(made, ahead, strict=True):
        due = datetime.fromisoformat(each.not_before)
        wall = datetime.combine(on - timedelta(days=days_before), at, ZoneInfo(zone))
        assert due == wall.astimezone(UTC)
        assert each.not_before < each.useless_after
        assert each.values == {"visit_day": on.isoformat()}


@pytest.mark.parametrize("status", ["decided", "overdue", "paused"])
def test_nobody_is_reminded_of_a_visit_that_is_over_or_paused(status: str) -> None:
    assert list(reminders([visit(DAY, status=status)], ZONE)) == []


def test_a_reminder_of_a_visit_that_was_moved_or_decided_is_due_no_more() -> None:
    [made] = reminders([visit(DAY)], ZONE)
    [moved] = reminders([visit(DAY + timedelta(days=1))], ZONE)
    assert made.id != moved.id
    assert is_still_due(made, [visit(DAY)])
    assert not is_still_due(made, [visit(DAY + timedelta(days=1))])
    assert not is_still_due(made, [visit(DAY, status="decided")])
    assert not is_still_due(made, [visit(DAY, number=13)])
    assert not is_still_due(made, [])
    assert is_still_due(draft("encouragement", "p-1", "e-1", "x", {}), [])


def test_every_kind_has_a_topic() -> None:
    assert set(TOPIC_OF) == set(KINDS)


# --- signals ---


def given_at(turn: dict[str, int], word: str) -> list[int]:
    """Return the visits at which a signal is given; `^` is paid, and what is no success or excuse resets."""
    program = parse_program(
        'program: p\nversion: "1"\ntitle: P\ncurrency: USD\nvisits: [{weeks: 1-8, per_week: 1}]\n'
        "targets: {t: {behavior: attendance, schedule: [{weeks: 1-8, fixed: 10.00}]}}\n"
        f"signals: [{{name: s, when: {json.dumps(turn)}, to: [counselor]}}]\n"
    )
    seen = [
        Seen(number, "-" if symbol == "^" else symbol, symbol == "^", symbol in "+or")
        for number, symbol in enumerate(word, 1)
    ]
    assert Turn(**turn)
    return [each.visit for each in signals(program.signals, {"t": seen})]


@pytest.mark.parametrize(
    ("turn", "word", "visits"),
    [
        ({"missed": 2}, "-oo-oooo-o", [3, 6]),
        ({"missed": 2}, "oeo", [3]),
        ({"missed": 2}, "o+o", []),
        ({"positive_after": 3}, "---+", [4]),
        ({"positive_after": 3}, "--+---e+", [8]),
        ({"positive_after": 3}, "---o+", []),
        ({"positive_after": 3}, "----++", [5]),
        ({"no_reward_in_first": 3}, "o+-^", [3]),
        ({"no_reward_in_first": 3}, "o^-", []),
        ({"recovered_after": 2}, "---+--", [6]),
        ({"recovered_after": 2}, "+-e-----", [4]),
        ({"recovered_after": 2}, "-----", []),
        ({"recovered_after": 2}, "+-+--+--", [5, 8]),
    ],
)
def test_a_signal_is_given_when_its_turn_comes(turn: dict[str, int], word: str, visits: list[int]) -> None:
    assert given_at(turn, word) == visits


@given(st.text("-^+oer*_", max_size=40), st.integers(1, 4))
def test_a_signal_on_a_run_is_given_once_for_each_run(word: str, length: int) -> None:
    runs = [
        run
        for run in "".join(symbol for symbol in word if symbol not in "e*_")
        .replace("^", "-")
        .replace("+", "-")
        .replace("r", "-")
        .split("-")
        if len(run) >= length
    ]
    assert len(given_at({"missed": length}, word)) == len(runs)
