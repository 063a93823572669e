import { checkAuth } from "../check-auth.ts";
import { refuseMisfits } from "../refuse-misfits.ts";
import { runFunction } from "../run-function.ts";
import { backupConfig } from "./config.ts";

runFunction({
  name: "backup",
  schema: backupConfig,
  async check(config, _environment, log) {
    checkAuth(config);
    await refuseMisfits(config, log);
  },
  load: async (config, surroundings) => (await import("./service.ts")).backupService(config, surroundings),
});
