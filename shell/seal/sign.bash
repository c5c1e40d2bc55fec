# sign.bash - for `taskresults seal --sign KEY`.

# shellcheck shell=bash disable=SC2154  # seal.bash sets reports

load lib/sql_text seal/keygen

# sign_heads - seals, and signs each head that is not signed yet. `reports` is then what was reported, as SQL; and
# not_signed is 1 if ssh-keygen failed: what was signed before is kept, and the rest is not tried.
sign_heads() {
  local answers line hex head signature statements='' sealed='' signed='' wanted=0
  need_keygen
  answers=$(with_progress query "CREATE TEMP TABLE report AS SELECT value FROM json_each($reports);
    SELECT 'R' || value FROM report;
    SELECT 'S' || hex(value->>'\$.job_id') || ' ' || (value->>'\$.head') FROM report
      WHERE value->>'\$.result' IN ('sealed', 'unchanged') AND NOT value->>'\$.signed';") || not_sealed
  while IFS= read -r line; do
    case $line in
      R*) sealed+=,${line#R} ;;
      S*)
        ((not_signed == 0)) || continue
        hex=${line%% *} hex=${hex#S} head=${line##* }
        signature=$(signed_text "$hex" "$head" | ssh-keygen -q -Y sign -f "${opt[sign]}" -n "$SIGNING_NAMESPACE") ||
          { say "sealed, but not signed: ssh-keygen could not sign with ${opt[sign]}"; not_signed=1; continue; }
        signed+=", '$hex'"
        statements+="INSERT INTO signed VALUES (taskresults_seal_sign(CAST(x'$hex' AS TEXT), '$head',
          $(sql_text "$signature")));"
        wanted=$((wanted + 1))
        ;;
    esac
  done < <(printf '%s\n' "$answers")
  reports=$(sql_text "[${sealed#,}]")
  ((wanted)) || return 0
  answers=$(query "CREATE TEMP TABLE signed(done); $statements
    SELECT count(*) FROM signed WHERE done;") || exit "$EXIT_IO"
  ((answers == wanted)) || { say 'a signature could not be kept: the head is no longer there'; exit "$EXIT_IO"; }
  reports="(SELECT json_group_array(json(iif(hex(value->>'\$.job_id') IN (${signed#, }),
    json_set(value, '\$.signed', json('true')), value))) FROM json_each($reports))"
}
