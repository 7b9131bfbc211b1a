// ClusterService: what the leader knows of the quorum. Its other methods answer UNIMPLEMENTED.

import type { ClusterHandlers } from "../../transport/grpc/server.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { read } from "./ask.ts";

export function clusterHandlers(quorum: Quorum): ClusterHandlers {
  return {
    getCluster: async (_request, call) => {
      const question = { read: { $case: "cluster", value: {} } } as const;
      const { cluster } = await read(quorum, question, call);
      if (cluster === undefined) throw new Error("a read of the cluster answered without one");
      return cluster;
    },
  };
}
