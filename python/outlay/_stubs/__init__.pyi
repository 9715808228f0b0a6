"""The stubs of the native core, by class: `outlay._core` names them all.

Their docstrings are those at run time too: the build reads them here.
"""
