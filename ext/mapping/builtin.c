/*
** builtin.c - the mappings that are built in, as the JSON that anybody could give. ext/DIALECTS.md says of each what it
** reads.
*/
#include "mapping.h"

const char *const tr_mapping_names[] = {TR_NATIVE, "openclaw", "runs", "gitlab", "n8n", NULL};

/* In the order of the names. */
static const char *const json_of_builtin[] = {
    "{\"files\": \"*.jsonl\", \"timestamp\": \"timestamp\", \"name\": \"job_name\", \"success\": \"success\",\n"
    " \"output\": \"output\", \"error\": \"error\"}",

    "{\"files\": \"*.jsonl\", \"timestamp\": \"ts\", \"started\": \"runAtMs\", \"output\": \"summary\",\n"
    " \"error\": {\"any\": [\"error\", \"errorMessage\"]}, \"duration\": {\"key\": \"durationMs\", \"unit\": \"ms\"},\n"
    " \"where\": [{\"action\": [\"finished\", \"completed\", \"failed\", \"enqueue_failed\", \"pump_failed\",\n"
    "                        \"cancelled\", \"dropped\"]}],\n"
    " \"success\": [{\"action\": [\"finished\"], \"status\": [\"ok\"]}, {\"action\": [\"completed\"]}],\n"
    " \"failure\": [{\"action\": [\"finished\"], \"status\": [\"error\"]},\n"
    "             {\"action\": [\"failed\", \"enqueue_failed\", \"pump_failed\"]}],\n"
    " \"unknown\": [{\"outcome\": [\"queued\"]}, {\"action\": [\"finished\"], \"status\": [\"skipped\"]},\n"
    "             {\"action\": [\"cancelled\", \"dropped\"]}]}",

    "{\"files\": \"*.jsonl\",\n"
    " \"timestamp\": {\"any\": [\"finishedAt\", \"finished_at\", \"finishedAtMs\", \"completed_at\", \"doneAt\", "
    "\"ts\"]},\n"
    " \"started\": {\"any\": [\"startedAt\", \"started_at\", \"startedAtMs\"]},\n"
    " \"name\": {\"any\": [\"jobName\", \"job_name\", \"name\"]},\n"
    " \"output\": {\"any\": [\"summary\", \"output_summary\", \"outputTail\", \"output\"]},\n"
    " \"error\": {\"any\": [\"error\", \"errorMessage\", \"error_message\", \"errors\"]},\n"
    " \"duration\": {\"any\": [{\"key\": \"durationMs\", \"unit\": \"ms\"}, {\"key\": \"duration_ms\", \"unit\": "
    "\"ms\"},\n"
    "                      {\"key\": \"duration_seconds\", \"unit\": \"s\"}]},\n"
    " \"success\": [{\"status\": [\"ok\", \"success\", \"succeeded\", \"done\", \"completed\"]}],\n"
    " \"failure\": [{\"status\": [\"error\", \"failed\", \"timeout\"]}],\n"
    " \"unknown\": [{\"status\": [\"skipped\", \"partial\", \"cancelled\", \"interrupted\"]}]}",

    "{\"files\": \"current\", \"job\": \"class\", \"timestamp\": \"time\",\n"
    " \"error\": {\"any\": [\"error_message\", \"error_class\"]}, \"duration\": {\"key\": \"duration_s\", \"unit\": "
    "\"s\"},\n"
    " \"where\": [{\"job_status\": [\"done\", \"fail\"]}],\n"
    " \"success\": [{\"job_status\": [\"done\"]}], \"failure\": [{\"job_status\": [\"fail\"]}]}",

    "{\"files\": \"n8nEventLog*.log\", \"order\": \"number\", \"job\": [\"payload\", \"workflowId\"],\n"
    " \"name\": [\"payload\", \"workflowName\"], \"timestamp\": \"ts\", \"error\": [\"payload\", \"errorMessage\"],\n"
    " \"where\": [{\"eventName\": [\"n8n.workflow.success\", \"n8n.workflow.failed\"]}],\n"
    " \"success\": [{\"eventName\": [\"n8n.workflow.success\"]}],\n"
    " \"failure\": [{\"eventName\": [\"n8n.workflow.failed\"]}]}",
};

const char *tr_mapping_builtin(const char *name) {
  for (int i = 0; tr_mapping_names[i]; i++) {
    if (strcmp(tr_mapping_names[i], name) == 0) return json_of_builtin[i];
  }
  return NULL;
}
