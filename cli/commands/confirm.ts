import { isCancel, text } from "@clack/prompts";
import { shellQuote } from "../../shared/shell-quote.ts";
import { Failure, wrongUsage } from "../failure.ts";
import type { Session } from "../session.ts";
import { plainText } from "../text/units.ts";

/** What changes the live database needs its name, typed by a person or given by a script. */
export async function confirmName(
  session: Session,
  database: string,
  given: string | undefined,
): Promise<void> {
  if (given === database) return;
  if (given !== undefined)
    throw wrongUsage(
      `--yes ${JSON.stringify(given)} does not name the database ${JSON.stringify(database)}`,
      `--yes ${shellQuote(database)}`,
    );
  if (!session.output.isInteractive)
    throw wrongUsage(
      "there is no terminal to ask for a confirmation",
      `a script confirms with --yes ${shellQuote(database)}`,
    );
  const typed = await text({
    message: `Type the name of the database to go on: ${plainText(database)}`,
    validate: (value) =>
      value === database
        ? undefined
        : `that is not ${plainText(database)}; Ctrl-C leaves everything as it is`,
  });
  if (isCancel(typed)) throw new Failure("nothing was done", { code: "left" });
}
