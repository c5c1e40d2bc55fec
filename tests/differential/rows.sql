-- rows.sql - every column of task_results, type and bytes. oracle.py knows the same format: N, I<decimal>, R<the eight
-- bytes of the double>, T<hex> for TEXT and B<hex> for a BLOB. ieee754_to_blob() is the sqlite3 shell's.
.mode list
SELECT 'T' || hex(job_id), 'I' || offset,
  CASE typeof(timestamp) WHEN 'null' THEN 'N' WHEN 'integer' THEN 'I' || timestamp
    WHEN 'real' THEN 'R' || hex(ieee754_to_blob(timestamp)) WHEN 'text' THEN 'T' || hex(timestamp)
    ELSE 'B' || hex(timestamp) END,
  CASE typeof(job_name) WHEN 'null' THEN 'N' WHEN 'integer' THEN 'I' || job_name
    WHEN 'real' THEN 'R' || hex(ieee754_to_blob(job_name)) WHEN 'text' THEN 'T' || hex(job_name)
    ELSE 'B' || hex(job_name) END,
  CASE typeof(success) WHEN 'null' THEN 'N' WHEN 'integer' THEN 'I' || success
    WHEN 'real' THEN 'R' || hex(ieee754_to_blob(success)) WHEN 'text' THEN 'T' || hex(success)
    ELSE 'B' || hex(success) END,
  CASE typeof(output) WHEN 'null' THEN 'N' WHEN 'integer' THEN 'I' || output
    WHEN 'real' THEN 'R' || hex(ieee754_to_blob(output)) WHEN 'text' THEN 'T' || hex(output)
    ELSE 'B' || hex(output) END,
  CASE typeof(error) WHEN 'null' THEN 'N' WHEN 'integer' THEN 'I' || error
    WHEN 'real' THEN 'R' || hex(ieee754_to_blob(error)) WHEN 'text' THEN 'T' || hex(error)
    ELSE 'B' || hex(error) END,
  CASE typeof(time_us) WHEN 'null' THEN 'N' WHEN 'integer' THEN 'I' || time_us ELSE 'B' || hex(time_us) END,
  CASE typeof(ok) WHEN 'integer' THEN 'I' || ok ELSE typeof(ok) END,
  CASE typeof(record) WHEN 'text' THEN 'T' || hex(record) ELSE typeof(record) END
FROM task_results ORDER BY rowid;
