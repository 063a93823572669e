import { runFunction } from "../run-function.ts";
import { backupConfig } from "./config.ts";

runFunction({
  name: "backup",
  schema: backupConfig,
  load: async (config, surroundings) => (await import("./service.ts")).backupService(config, surroundings),
});
