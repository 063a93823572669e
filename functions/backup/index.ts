import { checkAuth } from "../../shared/doctor/check-auth.ts";
import { refuseMisfits } from "../../shared/config/refuse-misfits.ts";
import { runFunction } from "../../shared/function/run-function.ts";
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
