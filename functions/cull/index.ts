import { runFunction } from "../../shared/function/run-function.ts";
import { cullConfig } from "./config.ts";
import { checkAuth } from "../../shared/config/auth-config.ts";

runFunction({
  name: "cull",
  schema: cullConfig,
  check: checkAuth,
  load: async (config, surroundings) => (await import("./service.ts")).cullService(config, surroundings),
});
