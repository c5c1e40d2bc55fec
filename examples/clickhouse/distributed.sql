-- distributed.sql - for a cluster called `fleet`: the tables and views of all shards as one, in the database of which the
-- shards have their own, fleet_shard. Run it on every server that is shipped to or asked. Both engines understand it.
--
-- A job of a host is always on one shard. So each view is computed where its lines are, and only its rows travel.

CREATE TABLE records AS fleet_shard.records ENGINE = Distributed(fleet, fleet_shard, records, cityHash64(host, job_id));
CREATE TABLE rejects AS fleet_shard.rejects ENGINE = Distributed(fleet, fleet_shard, rejects, cityHash64(host, job_id));
CREATE TABLE files AS fleet_shard.files ENGINE = Distributed(fleet, fleet_shard, files, cityHash64(host, job_id));
CREATE TABLE task_results AS fleet_shard.task_results ENGINE = Distributed(fleet, fleet_shard, task_results);
CREATE TABLE task_rejects AS fleet_shard.task_rejects ENGINE = Distributed(fleet, fleet_shard, task_rejects);
CREATE TABLE task_stats AS fleet_shard.task_stats ENGINE = Distributed(fleet, fleet_shard, task_stats);
CREATE TABLE task_errors AS fleet_shard.task_errors ENGINE = Distributed(fleet, fleet_shard, task_errors);
