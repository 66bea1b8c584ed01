"""Sites as journals."""

from cm_engine.journal import Kind
from cm_engine.sites.fold import NAME, fold
from cm_engine.sites.state import SiteState, dump, load

SITE = Kind[SiteState](NAME, fold, dump, load)
