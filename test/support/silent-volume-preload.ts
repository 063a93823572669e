// Loaded into a function's process with --import: calls on paths that match DORMOUSE_TEST_SILENT hang, as on a network file
// system whose server is gone, while the FIFO DORMOUSE_TEST_FIFO is there: each truly waits in one of Node's threads for
// a writer of the FIFO.
import callbacks, { existsSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

type Call = (...args: unknown[]) => Promise<unknown>;

const silent = new RegExp(process.env["DORMOUSE_TEST_SILENT"] ?? "^$");
const fifo = process.env["DORMOUSE_TEST_FIFO"] ?? "";
const methods = fs as unknown as Record<string, Call>;
const open = fs.open.bind(fs);

for (const name of ["open", "readdir", "readFile", "stat", "lstat", "rename", "link"]) {
  const real = methods[name];
  methods[name] = async (...args) => {
    if (silent.test(String(args[0])) && existsSync(fifo)) await (await open(fifo, "r")).close();
    return real?.apply(fs, args);
  };
}
const numbered = callbacks.open as (...args: unknown[]) => void;
callbacks.open = ((...args: unknown[]) => {
  if (!silent.test(String(args[0])) || !existsSync(fifo)) return numbered(...args);
  void open(fifo, "r").then(async (handle) => {
    await handle.close();
    numbered(...args);
  });
}) as typeof callbacks.open;
syncBuiltinESMExports();
