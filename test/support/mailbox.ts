// Mailboxes of a node taken away from outside: unbound, bound again, deleted, cut off.
//
// Guarantees: works on exclusive queues, which nobody but their owner may touch over AMQP, since it
// is done inside of the broker (rabbitmqctl eval). A node that has come back meanwhile with new
// mailboxes keeps them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { clientsExchange, raftExchange } from "../../transport/amqp/topology.ts";
import { rabbitmqctl } from "./rabbitmqctl.ts";
import type { LocalStack } from "./stack.ts";

/** `append`: only what carries the log. */
export type Lanes = "all" | "append";

/** Nothing reaches the node any more; it can still speak, and is not told. */
export async function unbindMailboxes(stack: LocalStack, id: string, lanes: Lanes): Promise<void> {
  await evaluate(
    stack,
    `[rabbit_binding:remove(B, <<"chaos">>) || ${queues(stack, id, lanes)},
      B <- rabbit_binding:list_for_destination(Q), element(4, element(2, B)) =/= <<>>]`,
  );
}

export async function bindMailboxes(stack: LocalStack, id: string): Promise<void> {
  const cluster = clusterOf(stack);
  const bind = (exchange: string, key: string): string =>
    `rabbit_binding:add({binding, rabbit_misc:r(<<"/">>, exchange, <<"${exchange}">>),
      ${key}, Q, []}, <<"chaos">>)`;
  const lane = `(lists:last(binary:split(element(4, Q), <<".">>, [global])))/binary`;
  await evaluate(
    stack,
    `[case binary:match(element(4, Q), <<".raft.">>) of
        nomatch -> ${bind(clientsExchange(cluster), `<<"${id}">>`)};
        _ -> ${bind(raftExchange(cluster), `<<"${id}.", ${lane}>>`)}
      end || ${queues(stack, id, "all")}]`,
  );
}

/** The node is told: its consumers are cancelled. */
export async function deleteMailboxes(stack: LocalStack, id: string): Promise<void> {
  await evaluate(
    stack,
    `[case rabbit_amqqueue:lookup(Q) of
        {ok, Queue} -> rabbit_amqqueue:delete(Queue, false, false, <<"chaos">>);
        _ -> ok
      end || ${queues(stack, id, "all")}]`,
  );
}

/** All connections of the node end at once. */
export async function closeConnections(stack: LocalStack, id: string): Promise<void> {
  await evaluate(
    stack,
    `[rabbit_networking:close_connection(Pid, "chaos") ||
      [{pid, Pid}, {client_properties, Properties}] <-
        rabbit_networking:connection_info_all([pid, client_properties]),
      {<<"connection_name">>, _, Name} <- Properties,
      binary:match(Name, <<"quorumq ${id} ">>) =/= nomatch]`,
  );
}

/** A generator of an Erlang list comprehension: Q is each of the node's mailboxes. */
function queues(stack: LocalStack, id: string, lanes: Lanes): string {
  const cluster = clusterOf(stack).replaceAll(".", "\\.");
  const pattern =
    lanes === "all"
      ? `^quorumq\\\\.${cluster}\\\\.(raft|clients)\\\\.${id}\\\\.`
      : `^quorumq\\\\.${cluster}\\\\.raft\\\\.${id}\\\\..*\\\\.append$`;
  return `Q <- rabbit_amqqueue:list_names(<<"/">>),
    re:run(element(4, Q), <<"${pattern}">>) =/= nomatch`;
}

function clusterOf(stack: LocalStack): string {
  return readFileSync(join(stack.dir, "cluster"), "utf8").trim();
}

/** Throws when the list is empty: then nothing has happened. */
async function evaluate(stack: LocalStack, list: string): Promise<void> {
  const expression = `length(${list.replaceAll(/\s+/g, " ")}).`;
  const count = await rabbitmqctl(stack.broker(), "eval", expression);
  if (!(Number(count) > 0)) throw new Error(`RabbitMQ answered ${count} to ${expression}`);
}
