# signers.bash - for `taskresults verify --allowed-signers FILE`.

# shellcheck shell=bash disable=SC2154  # verify.bash sets reports

load lib/sql_text seal/keygen

# check_signatures - verifies, and checks the newest signature of each sealed job. `reports` is then what was reported,
# as SQL, and `signers` statements that add what was found to the table `report`.
check_signatures() {
  local answers line hex head signature before principal verified='' file=${opt[allowed-signers]}
  need_keygen
  [[ -r $file && ! -d $file ]] || { say "$file: the allowed signers cannot be read"; exit "$EXIT_IO"; }
  answers=$(with_progress query "CREATE TEMP TABLE report AS SELECT value FROM json_each($reports);
    SELECT 'R' || value FROM report;
    SELECT 'S' || hex(value->>'\$.job_id') || ' ' || coalesce((value->>'\$.signed_head') || ' '
        || hex(value->>'\$.signature') || ' ' || coalesce(value->>'\$.signed_before', ''), '')
      FROM report WHERE value->>'\$.result' IN ('fine', 'tampered');") || not_verified
  while IFS= read -r line; do
    case $line in
      R*) verified+=,${line#R} ;;
      S*)
        IFS=' ' read -r hex head signature before < <(printf '%s\n' "${line#S}")
        if [[ -z $head ]]; then
          note_signature "$hex" unsigned 'not signed by an allowed signer: no head is signed'
        elif principal=$(is_signed "$hex" "$head" "$signature" "$file"); then
          signers+="UPDATE report SET value = json_set(value, '\$.signer', $(sql_text "$principal"))
            WHERE job_id = CAST(x'$hex' AS TEXT);"
          [[ -z $before ]] || note_signature "$hex" unsigned "the newest signature is from before the prune of $before,\
 which only a receipt explains: it proves nothing of the lines there now; sign a newer head"
        else
          note_signature "$hex" unsigned \
            "not signed by an allowed signer: the newest signature is not valid, or of nobody in $file"
        fi
        ;;
    esac
  done < <(printf '%s\n' "$answers")
  reports=$(sql_text "[${verified#,}]")
}

# is_signed HEX HEAD SIGNATURE FILE - prints who has signed the head; false if nobody who may. SIGNATURE is hexadecimal.
is_signed() {
  local principal
  principal=$(ssh-keygen -Y find-principals -f "$4" -s <(bytes_of "$3") 2>/dev/null) || return
  principal=${principal%%$'\n'*}
  signed_text "$1" "$2" | ssh-keygen -q -Y verify -f "$4" -I "$principal" -n "$SIGNING_NAMESPACE" -s <(bytes_of "$3") \
    >/dev/null 2>&1 || return
  printf '%s' "$principal"
}

# note_signature HEX RESULT REASON - what was tampered with remains that.
note_signature() {
  signers+="UPDATE report SET result = iif(result = 'fine', '$2', result),
    value = json_set(value, '\$.result', iif(result = 'fine', '$2', result), '\$.reasons[#]', $(sql_text "$3"))
    WHERE job_id = CAST(x'$1' AS TEXT);"
}
