// What a listing takes at least: the same files, looked at and read by one program that does nothing else and waits for each
// call, and their JSON parsed. Prints its seconds, those of the processor, and its peak of memory in MB.
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const volume = process.argv[2] ?? "";
const begun = performance.now();
const before = process.cpuUsage();
for (const day of readdirSync(volume)) {
  if (day.startsWith(".")) continue;
  for (const name of readdirSync(join(volume, day))) {
    const path = join(volume, day, name);
    if (name.endsWith(".json")) JSON.parse(readFileSync(path, "utf8"));
    else lstatSync(path);
  }
}
const { user, system } = process.cpuUsage(before);
const [seconds, processor] = [(performance.now() - begun) / 1000, (user + system) / 1e6];
console.log(JSON.stringify({ seconds, processor, peakMb: process.resourceUsage().maxRSS / 1024 }));
