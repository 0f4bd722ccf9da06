"""Everything that the pages of the documentation take from the program; their cog blocks import it from here.

    <!-- [[[cog from generate import commands_table; cog.out(commands_table("commands/")) ]]] -->
    <!-- [[[end]]] -->

`python docs/tools/update.py` fills the blocks of all pages.
"""

from benchmark_tables import benchmark_names, benchmark_table
from commands import command_names, command_page, commands_table, main_page
from console_blocks import console, printed
from python_api import python_api
from results import results_table
from tables import cells_table, filter_order, settings_tables, smoothings_table

__all__ = [
    "benchmark_names",
    "benchmark_table",
    "cells_table",
    "command_names",
    "command_page",
    "commands_table",
    "console",
    "filter_order",
    "main_page",
    "printed",
    "python_api",
    "results_table",
    "settings_tables",
    "smoothings_table",
]
