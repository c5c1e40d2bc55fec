# roff.awk - text -> roff, for page.awk and manual.awk

function escaped(text) {
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  gsub(/'/, "\\(aq", text)
  gsub(/"/, "\\(dq", text)
  sub(/^\./, "\\\\\\&.", text)
  return ascii(text)
}

function bold(text) { return "\\fB" escaped(text) "\\fR" }

function heading(text) { # a page's section
  print ".SH " toupper(escaped(text))
  section = text
  begun = 1
}

# Starts a new paragraph, except at the start of a section, where roff does so itself.
function paragraph() {
  if (!begun) print ".PP"
  begun = 0
}

# Writes non-ASCII characters by their numbers, so that a page does not depend on the reader's system. The text is
# UTF-8, and awk works on bytes.
function ascii(text,    out, at, byte, more, code) {
  if (text !~ /[\200-\377]/) return text
  if (!("\200" in byte_of)) for (at = 128; at < 256; at++) byte_of[sprintf("%c", at)] = at
  for (at = 1; at <= length(text); at++) {
    byte = substr(text, at, 1)
    if (!(byte in byte_of)) {
      out = out byte
      continue
    }
    byte = byte_of[byte]
    more = byte >= 240 ? 3 : byte >= 224 ? 2 : 1
    code = byte - (byte >= 240 ? 240 : byte >= 224 ? 224 : 192)
    while (more--) code = code * 64 + byte_of[substr(text, ++at, 1)] - 128
    out = out sprintf("\\[u%04X]", code)
  }
  return out
}
