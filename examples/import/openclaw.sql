-- openclaw - openclaw from 2026.8 on: the cron runs in task_runs of its state database, which it keeps for 7 days
-- needs task_runs(task_id, runtime, source_id, ended_at, status, error, terminal_summary, detail_json)
--
-- Not imported: runs that were skipped, and looks of a watcher that found nothing to do. Their detail_json says so.
SELECT source_id AS job_id, NULL AS job_name, terminal_summary AS output, ended_at AS finished, task_id AS key,
  CASE status WHEN 'succeeded' THEN 1 WHEN 'failed' THEN 0 WHEN 'timed_out' THEN 0 WHEN 'cancelled' THEN 0
    WHEN 'lost' THEN 0 END AS success,
  CASE WHEN status <> 'succeeded' THEN coalesce(error, status) END AS error
FROM (SELECT *, CASE WHEN json_valid(detail_json) THEN detail_json END AS detail FROM task_runs
  WHERE runtime = 'cron' AND ifnull(status, '') NOT IN ('queued', 'running'))
WHERE ifnull(detail ->> '$.status', '') <> 'skipped' AND ifnull(detail ->> '$.triggerFired', 1) <> 0
