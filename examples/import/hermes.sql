-- hermes - hermes-agent's cron/executions.db, in ~/.hermes or a profile's directory. It keeps the last 1,000 runs.
-- needs executions(id, job_id, status, finished_at, error)
--
-- Runs that are claimed or running have not finished yet. Of an `unknown` run nobody knows how it ended, since the
-- process that ran it is gone; its error says so. It counts as a failure.
SELECT job_id, NULL AS job_name, NULL AS output, finished_at AS finished, id AS key,
  CASE status WHEN 'completed' THEN 1 WHEN 'failed' THEN 0 WHEN 'unknown' THEN 0 END AS success,
  CASE WHEN status <> 'completed' THEN coalesce(error, status) END AS error
FROM executions WHERE ifnull(status, '') NOT IN ('claimed', 'running')
