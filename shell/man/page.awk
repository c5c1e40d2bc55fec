# page.awk - a command's help text -> its man page. With roff.awk. Variables: name (of the page), version.
#
# In: "NAME ARGUMENTS - summary", then paragraphs and sections. A section begins with "Word:" alone on its line (only
# after "Usage:", text follows on the same line); in it, a line indented by two is an entry ("--flag text", continued
# further in) or an example; so is one before the first section, if it has such a gap. Everything else is running text;
# `code` is bold.

function running(text,    out) {
  text = escaped(text)
  while (match(text, /`[^`]*`/)) {
    out = out substr(text, 1, RSTART - 1) "\\fB" substr(text, RSTART + 1, RLENGTH - 2) "\\fR"
    text = substr(text, RSTART + RLENGTH)
  }
  return out text
}

NR == 1 {
  summary = $0
  sub(/^.* - /, "", summary)
  printf ".TH %s 1 \"\" \"taskresults %s\" \"taskresults\"\n", toupper(escaped(name)), version
  heading("Name")
  print escaped(name) " \\- " running(summary)
  next
}

/^Usage: / { heading("Synopsis") }
/^Usage: / || (section == "Synopsis" && /^  /) {
  sub(/^(Usage:)? */, "")
  print (synopses++ ? ".br\n" : "") ".B " escaped($0)
  next
}

/^[A-Z][a-z ]*:$/ {
  heading(substr($0, 1, length($0) - 1))
  next
}

/^$/ {
  blank = 1
  next
}

section == "Examples" {
  sub(/^ */, "")
  paragraph()
  print ".B " escaped($0)
  next
}

# An entry: its tag ends at two blanks.
/^  [^ ]/ && section != "Exit status" && section != "See also" && (section != "Description" || /[^ ]  +[^ ]/) {
  sub(/^  /, "")
  at = match($0, /  +/)
  print ".TP\n.B " escaped(at ? substr($0, 1, at - 1) : $0)
  if (at) print running(substr($0, at + RLENGTH))
  blank = begun = 0
  next
}

# Text after a section of entries, or at the beginning, is description.
/^[^ ]/ && blank {
  if (section == "Synopsis") heading("Description")
  else paragraph()
}
{
  blank = 0
  sub(/^ +/, "")
  print running($0)
  begun = 0
}
