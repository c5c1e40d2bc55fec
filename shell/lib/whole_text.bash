# whole_text.bash - SQL for a text with every byte.
#
# The sqlite3 program prints a text only up to its first NUL. The byte FF never occurs in our texts (all are UTF-8), so
# it replaces NUL on the way through the program, and `nul_bytes` (terminal/show) turns it back.

# shellcheck shell=bash

# With an expression for each @. replace() and substr() stop at a NUL; the JSON functions do not. 92 is the backslash.
WHOLE_TEXT="CASE WHEN instr(CAST(@ AS BLOB), x'00') THEN
  json_extract(replace(replace(replace(json_quote(@), char(92, 92), CAST(x'fe' AS TEXT)),
    char(92) || 'u0000', CAST(x'ff' AS TEXT)), CAST(x'fe' AS TEXT), char(92, 92)), '$')
  ELSE @ END"
