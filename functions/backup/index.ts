import { refuseMisfits } from "../refuse-misfits.ts";
import { runFunction } from "../run-function.ts";
import { backupConfig } from "./config.ts";

runFunction({
  name: "backup",
  schema: backupConfig,
  check: (config, _environment, log) => refuseMisfits(config, log),
  load: async (config, surroundings) => (await import("./service.ts")).backupService(config, surroundings),
});
