// Loaded into a function's process with --import: makes one call of the file system the last one, or lets it fail.
// DORMOUSE_TEST_FAULT is like `kill@7`, `kill-after@7` (counting calls that change something) or `ENOSPC@sync:2`.
// With DORMOUSE_TEST_NO_LINKS the file system has no hard links, as volumes over SMB or FUSE; DORMOUSE_TEST_REFUSED is JSON with
// the error of each of link, chmod, syncFolder, syncFile and rewrite (what was written before) that it always refuses. The file
// system of the folder DORMOUSE_TEST_FULL has no free byte, and the disk has lost the folder DORMOUSE_TEST_LOST.
import { appendFileSync, type Stats } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

type Call = (this: unknown, ...args: unknown[]) => Promise<unknown>;

const [, action = "", only = "", at = ""] =
  /^([\w-]+)@(?:(\w+):)?(\d+)$/.exec(process.env["DORMOUSE_TEST_FAULT"] ?? "") ?? [];
const tally = process.env["DORMOUSE_TEST_TALLY"];
let calls = 0;

function intercept(owner: object, name: string): void {
  const methods = owner as Record<string, Call>;
  const real = methods[name];
  if (real === undefined) throw new Error(`node:fs/promises has no ${name}`);
  methods[name] = async function intercepted(...args) {
    const isReading = name === "open" && !String(args[1]).includes("w");
    if (isReading || (only !== "" && only !== name)) return real.apply(this, args);
    calls += 1;
    if (tally !== undefined) appendFileSync(tally, `${name}\n`);
    if (calls !== Number(at)) return real.apply(this, args);
    if (action === "kill") process.kill(process.pid, "SIGKILL");
    if (action !== "kill-after")
      throw Object.assign(new Error(`${action}: made by the test`), { code: action });
    await real.apply(this, args);
    process.kill(process.pid, "SIGKILL");
    return undefined;
  };
}

intercept(Object.getPrototypeOf(await closed(process.execPath)) as object, "sync");
for (const name of ["open", "mkdir", "link", "rename", "unlink", "rmdir"]) intercept(fs, name);
if (process.env["DORMOUSE_TEST_NO_LINKS"] !== undefined)
  fs.link = () => Promise.reject(Object.assign(new Error("ENOTSUP: made by the test"), { code: "ENOTSUP" }));
const refused = JSON.parse(process.env["DORMOUSE_TEST_REFUSED"] ?? "{}") as Partial<Record<string, string>>;
const refusal = (code: string) =>
  Promise.reject(Object.assign(new Error(`${code}: made by the test`), { code }));
for (const name of ["link", "chmod"] as const) {
  const code = refused[name];
  if (code !== undefined) fs[name] = () => refusal(code);
}
const { readdir, statfs } = fs;
const lost = process.env["DORMOUSE_TEST_LOST"];
fs.readdir = ((...args: Parameters<typeof readdir>) =>
  args[0] === lost ? refusal("EIO") : readdir(...args)) as typeof readdir;
const full = process.env["DORMOUSE_TEST_FULL"];
fs.statfs = (async (path: string) => {
  const found = await statfs(path);
  return path === full ? Object.assign(found, { bavail: 0 }) : found;
}) as typeof fs.statfs;
const handles = Object.getPrototypeOf(await closed(process.execPath)) as Record<string, Call>;
const sync = handles["sync"];
handles["sync"] = async function refusing(this: { stat(): Promise<Stats> }, ...args) {
  const code = refused[(await this.stat()).isDirectory() ? "syncFolder" : "syncFile"];
  return code === undefined ? sync?.apply(this, args) : refusal(code);
} as Call;
const write = handles["write"];
const written = new WeakSet<object>();
handles["write"] = async function refusing(this: object, ...args) {
  const code = refused["rewrite"];
  // The fourth argument is where in the file.
  if (code !== undefined && args[3] === 0 && written.has(this)) return refusal(code);
  written.add(this);
  return write?.apply(this, args);
} as Call;
syncBuiltinESMExports();

async function closed(path: string): Promise<object> {
  const opened = await fs.open(path);
  await opened.close();
  return opened;
}
