# visible.bash - makes control characters visible, so that a terminal does not obey them. The runner, which is written
# in C, has the same in shell/runner/say.c.

# shellcheck shell=bash

# The program for sed(1) that makes control characters visible: C0 and DEL as their pictures, C1 and the controls that
# reorder text as U+FFFD.
visible_program() {
  local i byte
  printf '/[\\x01-\\x08\\x0b-\\x1f\\x7f\\xff]/{\n'
  for ((i = 1; i < 32; i++)); do
    ((i == 9 || i == 10)) && continue
    printf -v byte '%02x' "$i"
    printf 's/\\x%s/\\xe2\\x90\\x%02x/g\n' "$byte" "$((0x80 + i))"
  done
  printf 's/\\x7f/\\xe2\\x90\\xa1/g\ns/\\xff/\\xe2\\x90\\x80/g\n}\n'
  printf 's/\\xc2[\\x80-\\x9f]/\\xef\\xbf\\xbd/g\ns/\\xe2\\x80[\\xaa-\\xae]/\\xef\\xbf\\xbd/g\n'
  printf 's/\\xe2\\x81[\\xa6-\\xa9]/\\xef\\xbf\\xbd/g\n'
}

# The same for a message, which has no colour marks: bytes that are not UTF-8 become U+FFFD, too. Valid parts are put
# between \x01 and \x02, which are unused by then, and every byte outside of them is replaced.
visible_message_program() {
  printf '%s\n' 's/\xff/\xef\xbf\xbd/g'
  visible_program
  printf 's/%s/\x01&\x02/g\n' '[\xc2-\xdf][\x80-\xbf]' '\xe0[\xa0-\xbf][\x80-\xbf]' \
    '[\xe1-\xec\xee\xef][\x80-\xbf]\{2\}' '\xed[\x80-\x9f][\x80-\xbf]' '\xf0[\x90-\xbf][\x80-\xbf]\{2\}' \
    '[\xf1-\xf3][\x80-\xbf]\{3\}' '\xf4[\x80-\x8f][\x80-\xbf]\{2\}'
  printf '%s\n' ':again' \
    's/^\(\([\x03-\x7f]\|\x01[^\x02]*\x02\)*\)[\x80-\xff]/\1\x01\xef\xbf\xbd\x02/' \
    'tagain' 's/[\x01\x02]//g'
}
