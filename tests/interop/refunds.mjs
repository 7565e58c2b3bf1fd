// node refunds.mjs ADDRESS NAMESPACE QUEUE start WORKFLOW_ID [ARGUMENT_AS_JSON ...]
// node refunds.mjs ADDRESS NAMESPACE QUEUE result WORKFLOW_ID
// node refunds.mjs ADDRESS NAMESPACE QUEUE update WORKFLOW_ID NAME ARGUMENT_AS_JSON
// node refunds.mjs ADDRESS NAMESPACE QUEUE query WORKFLOW_ID NAME
// Prints what Temporal answered, as JSON.
import { Client, Connection } from '@temporalio/client';

const [address, namespace, taskQueue, command, workflowId, ...rest] = process.argv.slice(2);
const connection = await Connection.connect({ address });
const { workflow } = new Client({ connection, namespace });
const handle = workflow.getHandle(workflowId);
const commands = {
  start: async () => {
    const started = await workflow.start('Refund', {
      workflowId,
      taskQueue,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      args: rest.map((argument) => JSON.parse(argument)),
    });
    return { runId: started.firstExecutionRunId };
  },
  result: () => handle.result(),
  update: () => handle.executeUpdate(rest[0], { args: [JSON.parse(rest[1])] }),
  query: () => handle.query(rest[0]),
};

try {
  console.log(JSON.stringify(await commands[command]()));
} catch (error) {
  console.error(error.cause?.message ?? error.message);
  process.exitCode = 1;
} finally {
  await connection.close();
}
