"""Stocks as journals."""

from cm_engine.journal import Kind
from cm_engine.stock.checking import check
from cm_engine.stock.fold import NAME, fold
from cm_engine.stock.state import StockState, dump, load

STOCK = Kind[StockState](NAME, fold, dump, load, check)
