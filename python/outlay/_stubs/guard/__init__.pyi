"""The stubs of the guard: what it decides, its scopes, its reports and its allotments."""
