# installed_links.awk - copies a document, and turns each link to a file that is not installed into its words alone.
#
# awk -v document=ext/TABLES.md -f installed_links.awk LIST DOCUMENT
# LIST has the installed documents and examples, one a line, as they are called in the checkout. Links to other sites and to
# headings of the same document stay, and so does everything in a block of code.

# resolved FROM TARGET: the path of TARGET as a link in the document FROM means it, without `..`.
function resolved(from, target,    parts, count, i, path, depth) {
  sub(/[^\/]*$/, "", from)
  count = split(from target, parts, "/")
  depth = 0
  for (i = 1; i <= count; i++) {
    if (parts[i] == "..") depth--
    else if (parts[i] != "." && parts[i] != "") path[++depth] = parts[i]
  }
  target = path[1]
  for (i = 2; i <= depth; i++) target = target "/" path[i]
  return target
}

function leads_somewhere(target) {
  if (target ~ /^(#|[a-z]+:)/) return 1
  sub(/#.*/, "", target)
  return resolved(document, target) in installed
}

FNR == NR {
  installed[$0]
  while (sub(/\/[^\/]*$/, "")) installed[$0] # its directories
  next
}

/^ *(```|~~~)/ { in_code = !in_code }

!in_code {
  rest = $0
  $0 = ""
  while (match(rest, /\[[^]\[]*\]\([^) ]*\)/)) {
    link = substr(rest, RSTART, RLENGTH)
    words = target = link
    sub(/\]\([^)]*\)$/, "", words)
    sub(/^.*\]\(/, "", target)
    sub(/\)$/, "", target)
    $0 = $0 substr(rest, 1, RSTART - 1) (leads_somewhere(target) ? link : substr(words, 2))
    rest = substr(rest, RSTART + RLENGTH)
  }
  $0 = $0 rest
}

{ print }
