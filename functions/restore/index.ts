import { DormouseError } from "../../shared/errors.ts";
import { checkAuth } from "../check-auth.ts";
import { runFunction } from "../run-function.ts";
import { restoreConfig } from "./config.ts";

runFunction({
  name: "restore",
  schema: restoreConfig,
  check(config, environment) {
    checkAuth(config);
    const { APP_WORKLOADS, KUBECONFIG } = config;
    const isInCluster = environment["KUBERNETES_SERVICE_HOST"] !== undefined || KUBECONFIG !== undefined;
    if (isInCluster || APP_WORKLOADS === undefined) return;
    throw new DormouseError(
      "configuration_invalid",
      "APP_WORKLOADS is set, but there is no cluster to stop them in",
      { hint: "unset it outside of Kubernetes, or name a cluster in KUBECONFIG" },
    );
  },
  load: async (config, surroundings) => (await import("./service.ts")).restoreService(config, surroundings),
});
