import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { execa } from "execa";
import { CACHE } from "../../scripts/root-folders.ts";

const MODULES = {
  "github.com/prometheus/pushgateway": "github.com/prometheus/pushgateway v1.11.1",
  "github.com/prometheus/prometheus/cmd/promtool": "github.com/prometheus/prometheus v0.316.0",
} as const;

/** Why no program of Go can be made here, if so. */
export async function whyNoGo(): Promise<string | false> {
  const { failed } = await execa("go", ["version"], { reject: false });
  return failed ? "go is not installed" : false;
}

/** A program by its package, made from its module at first use and reused: promtool takes some minutes. */
export async function goProgram(name: keyof typeof MODULES): Promise<string> {
  const [, version = ""] = MODULES[name].split(" ");
  const folder = join(CACHE, "go");
  const program = join(folder, `${basename(name)}-${version}`);
  if (existsSync(program)) return program;
  const making = `${program}.${process.pid}`;
  await mkdir(making, { recursive: true });
  await writeFile(join(making, "go.mod"), `module tests\n\ngo 1.26\n\nrequire ${MODULES[name]}\n`);
  // By HTTP/2 downloads of many modules were seen to wait for ever.
  const env = { GODEBUG: "http2client=0" };
  // The tests beside it go before: some of them watch a process.
  await execa("nice", ["-n", "19", "go", "build", "-mod=mod", "-o", "program", name], { cwd: making, env });
  await rename(join(making, "program"), program);
  await rm(making, { recursive: true });
  return program;
}
