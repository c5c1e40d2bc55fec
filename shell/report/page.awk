# page.awk - puts the page together: the skeleton (file `skeleton`), with what stands for its {{marks}}.
#
# In: the rows of rows.bash. A mark that is alone on its line is replaced by a group of lines, any other by a value.
# Nothing is printed before the first row is there: an error prints nothing.

function fail() {
  failed = 3
  exit
}

# The rest of the input, as far as it belongs to the group; the row that begins the next one is kept.
function group(name) {
  if (row != name) fail()
  while ((more = getline row) > 0 && !(row in is_group)) print escaped(name, row)
}

# In a script element, no text of ours can end it, or begin a comment.
function escaped(name, text) {
  if (name != "data") return text
  gsub(/</, "\\u003c", text)
  gsub(/\377/, "\\u0000", text)
  return text
}

function filled(line,    from, to, name, out) {
  while ((from = index(line, "{{")) && (to = index(line, "}}"))) {
    name = substr(line, from + 2, to - from - 2)
    if (!(name in value)) fail()
    out = out substr(line, 1, from - 1) value[name]
    line = substr(line, to + 2)
  }
  return out line
}

BEGIN {
  split("notes rows data", names, " ")
  for (i in names) is_group[names[i]] = 1
  while ((more = getline row) > 0 && !(row in is_group)) {
    at = index(row, "\037")
    value[substr(row, 1, at - 1)] = substr(row, at + 1)
  }
  if (more <= 0) fail()
  value["title"] = ENVIRON["page_title"]
  value["policy"] = ENVIRON["page_policy"]
  value["fault"] = ENVIRON["page_fault"]
  value["refresh"] = ENVIRON["page_refresh"]
  value["kind"] = ENVIRON["page_kind"]
  value["icon"] = ENVIRON["page_icon_" value["health"]]
  value["style"] = ENVIRON["page_style"]
  value["script"] = ENVIRON["page_script"]
  while ((getline line < skeleton) > 0) {
    mark = substr(line, 3, length(line) - 4)
    if (line == "{{" mark "}}" && mark in is_group) group(mark)
    else print filled(line)
  }
}
END { exit failed }
