// Loaded into a function's process with --import: the process ends as it reads a stream of the file that DORMOUSE_TEST_READING_ENDS
// names below the volume, as one does whose content fills the memory.
import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const wanted = process.env["DORMOUSE_TEST_READING_ENDS"] ?? "";
const real = fs.open;

fs.open = async function open(...args) {
  const handle: FileHandle = await real(...args);
  if (!String(args[0]).endsWith(wanted)) return handle;
  const read = handle.createReadStream.bind(handle);
  handle.createReadStream = (options) => {
    process.kill(process.pid, "SIGKILL");
    return read(options);
  };
  return handle;
};
syncBuiltinESMExports();
