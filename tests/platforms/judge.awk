# judge.awk - tells what a suite printed on another platform. tests/platforms/run gives the variables platform and
# suite, and two files: SKIPPED, and standard input with the TAP lines.
#
# A line of SKIPPED: PLATFORMS, SUITE, how the name of a test begins, and why it cannot run there, with tabs between.
# Such a test is skipped if it fails; if it passes, the line is wrong, and that is a failure.
BEGIN { FS = "\t" }
FILENAME != "-" {
  if (!/^#/ && index("," $1 ",", "," platform ",") && $2 == suite) reason[$3] = $4
  next
}
/^1\.\./ { next }
!/^(not )?ok / {
  if (!is_known) print
  next
}
{
  name = $0
  sub(/^(not )?ok ([0-9]+ )?/, "", name)
  is_known = 0
  for (known in reason) if (index(name, known) == 1) { is_known = 1; why = reason[known] }
  failed = /^not /
  line = platform ": " suite ": " name
  if (is_known && !failed) line = line " (it passes, but tests/platforms/skipped says that it cannot)"
  print (failed != is_known ? "not ok " : "ok ") line (is_known && failed ? " # skip " why : "")
  fflush()
}
