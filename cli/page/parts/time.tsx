import { timeText } from "../../text/units.ts";

const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** In the viewer's zone, with UTC beside it, as the names of the backups have it. */
export function Time({ at }: { readonly at: string }) {
  return (
    <time dateTime={at}>
      {LOCAL.format(new Date(at))} <span class="dim utc">{timeText(at)}</span>
    </time>
  );
}
