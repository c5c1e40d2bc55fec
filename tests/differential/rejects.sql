-- rejects.sql - task_rejects but for the reason, which Python does not know, in the format of rows.sql.
.mode list
SELECT 'T' || hex(job_id), 'I' || offset, 'I' || length,
  CASE typeof(line) WHEN 'null' THEN 'N' WHEN 'text' THEN 'T' || hex(line) ELSE 'B' || hex(line) END
FROM task_rejects ORDER BY rowid;
