"""cm-engine: from an observed behavior to an exact, explained reward, by a program that anyone can read."""

from cm_engine import catalogue
from cm_engine.acts.recorded import Enrollment, Recorded, RecordedDecision
from cm_engine.acts.reported import Amendment, Report, Voiding
from cm_engine.audit.auditing import Difference, Verification
from cm_engine.bundles.bundle import Bundle
from cm_engine.bundles.checking import read_bundle
from cm_engine.delivery.configuring import load_gateways
from cm_engine.delivery.sending import Delivery
from cm_engine.engine import Engine
from cm_engine.errors import (
    AllocationError,
    AlreadyEnrolledError,
    AmbiguousNameError,
    BalanceError,
    BundleError,
    ChannelError,
    CmEngineError,
    CorrectionError,
    DeliveryError,
    EnrollmentNotFoundError,
    EntryMismatchError,
    FundExhaustedError,
    GatewaysError,
    IntakeError,
    JournalNotFoundError,
    KeyConflictError,
    MappingError,
    MissingDependencyError,
    NotAllowedError,
    NotifiersError,
    PlanExceededError,
    Problem,
    ProblemsError,
    ProgramError,
    ProgramNotAddedError,
    ProgramNotFoundError,
    RecordNotFoundError,
    ReportError,
    ResultsError,
    ResultsFileError,
    RulesChangedError,
    SchemaError,
    SecretError,
    SiteClosedError,
    SomeFailedError,
    StaleReportError,
    StateError,
    StorageBusyError,
    StorageConflictError,
    StorageError,
    StorageFullError,
    TrialError,
    UndatedError,
)
from cm_engine.facade.banking import SentPayout
from cm_engine.facade.migrating import Migration
from cm_engine.importing import Imported, ImportStoppedError, Refused, import_results
from cm_engine.intake.loading import load_mapping
from cm_engine.intake.standing import Received, ReviewItem
from cm_engine.keyring import FileKeyring
from cm_engine.ledger.balances import Balance
from cm_engine.messages.outgoing import Outgoing
from cm_engine.messages.policy import MessagePolicy
from cm_engine.messages.queued import Message
from cm_engine.people.standing import Staff, StaffAct, WaitingEntry
from cm_engine.program import Program, canonical, digest, json_schema, load_program, parse_program
from cm_engine.program.units import Unit
from cm_engine.rules import (
    Award,
    Decision,
    Evidence,
    Observation,
    Pool,
    Rules,
    State,
    Timeline,
    compile_rules,
    decide,
    dump_state,
    forecast,
    initial_state,
    load_state,
    of_specimen,
    pools,
    prizes,
    reasons,
    step,
    with_pools,
)
from cm_engine.sites.calendars import PublicHolidays
from cm_engine.sites.spending import Alert, FundBalance, SiteFunds
from cm_engine.sites.standing import Followed, Site
from cm_engine.sites.state import Closure, Fund
from cm_engine.trials.allocation import Allocation
from cm_engine.trials.loading import load_trial, parse_trial
from cm_engine.trials.model import Trial
from cm_engine.trials.record import TrialRecord
from cm_engine.trials.standing import TrialStanding
from cm_engine.trials.taking import Allocated
from cm_engine.views.statement import Line, Statement
from cm_engine.views.visiting import PlannedVisit

__version__ = "0.1.0"

__all__ = [
    "Alert",
    "Allocated",
    "Allocation",
    "AllocationError",
    "AlreadyEnrolledError",
    "AmbiguousNameError",
    "Amendment",
    "Award",
    "Balance",
    "BalanceError",
    "Bundle",
    "BundleError",
    "ChannelError",
    "Closure",
    "CmEngineError",
    "CorrectionError",
    "Decision",
    "Delivery",
    "DeliveryError",
    "Difference",
    "Engine",
    "Enrollment",
    "EnrollmentNotFoundError",
    "EntryMismatchError",
    "Evidence",
    "FileKeyring",
    "Followed",
    "Fund",
    "FundBalance",
    "FundExhaustedError",
    "GatewaysError",
    "ImportStoppedError",
    "Imported",
    "IntakeError",
    "JournalNotFoundError",
    "KeyConflictError",
    "Line",
    "MappingError",
    "Message",
    "MessagePolicy",
    "Migration",
    "MissingDependencyError",
    "NotAllowedError",
    "NotifiersError",
    "Observation",
    "Outgoing",
    "PlanExceededError",
    "PlannedVisit",
    "Pool",
    "Problem",
    "ProblemsError",
    "Program",
    "ProgramError",
    "ProgramNotAddedError",
    "ProgramNotFoundError",
    "PublicHolidays",
    "Received",
    "RecordNotFoundError",
    "Recorded",
    "RecordedDecision",
    "Refused",
    "Report",
    "ReportError",
    "ResultsError",
    "ResultsFileError",
    "ReviewItem",
    "Rules",
    "RulesChangedError",
    "SchemaError",
    "SecretError",
    "SentPayout",
    "Site",
    "SiteClosedError",
    "SiteFunds",
    "SomeFailedError",
    "Staff",
    "StaffAct",
    "StaleReportError",
    "State",
    "StateError",
    "Statement",
    "StorageBusyError",
    "StorageConflictError",
    "StorageError",
    "StorageFullError",
    "Timeline",
    "Trial",
    "TrialError",
    "TrialRecord",
    "TrialStanding",
    "UndatedError",
    "Unit",
    "Verification",
    "Voiding",
    "WaitingEntry",
    "canonical",
    "catalogue",
    "compile_rules",
    "decide",
    "digest",
    "dump_state",
    "forecast",
    "import_results",
    "initial_state",
    "json_schema",
    "load_gateways",
    "load_mapping",
    "load_program",
    "load_state",
    "load_trial",
    "of_specimen",
    "parse_program",
    "parse_trial",
    "pools",
    "prizes",
    "read_bundle",
    "reasons",
    "step",
    "with_pools",
]
