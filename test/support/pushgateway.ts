import { spawn } from "node:child_process";
import { once } from "node:events";
import { goProgram } from "./go-program.ts";
import { until } from "./faulty.ts";
import { freePort } from "./postgres.ts";

/** A real one, in memory. */
export async function startPushgateway() {
  const program = await goProgram("github.com/prometheus/pushgateway");
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(program, [`--web.listen-address=${new URL(url).host}`], { stdio: "ignore" });
  await until(() =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return {
    url,
    /** As Prometheus scrapes it: without what the gateway says of itself. */
    async series(): Promise<readonly string[]> {
      const text = await (await fetch(`${url}/metrics`)).text();
      return text.split("\n").filter((line) => line.startsWith("dormouse_"));
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}
