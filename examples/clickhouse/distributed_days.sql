-- distributed_days.sql - task_days of all shards as one, as distributed.sql does it for the other views.

CREATE TABLE task_days AS fleet_shard.task_days ENGINE = Distributed(fleet, fleet_shard, task_days);
