-- audit.sql - who changed what, and when: the jobs' logs beside the scheduler's list of jobs.
--
-- The log says what was done to a job, and the list says for whom the job was created. For a job that is no longer in
-- the list, that is not known.
.mode box
SELECT log.timestamp AS "when", log.job_id AS job, log.event, substr(log.message, 1, 60) AS what,
       coalesce(job.created_by->>'$.endpoint', job.created_by) AS made_through, job.created_by->>'$.chat_id' AS chat
FROM task_logs AS log LEFT JOIN task_jobs AS job ON job.job_id = log.job_id AND job.record IS NOT NULL
WHERE log.event IN ('scheduled', 'updated', 'paused', 'resumed', 'deleted', 'manual_run')
ORDER BY log.time_us;
