-- openclaw-2026.6 - openclaw 2026.6 and 2026.7: cron_run_logs of its state database, before the runs moved to task_runs
-- needs cron_run_logs(store_key, job_id, seq, ts, status, error, summary)
--
-- A row is written when a run has finished. A run that was skipped is none.
SELECT job_id, NULL AS job_name, summary AS output, ts AS finished, json_array(store_key, job_id, seq) AS key,
  CASE status WHEN 'ok' THEN 1 WHEN 'error' THEN 0 END AS success,
  CASE WHEN status <> 'ok' THEN coalesce(error, status) END AS error
FROM cron_run_logs WHERE status IS NOT 'skipped'
