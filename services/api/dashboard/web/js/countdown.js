// Tells how long it is until a time, four times a second, and when that time has come.
const EVERY_MS = 250;

// `tell(seconds, share)` with the share that is left, in percent; `over()` at the end. Returns what stops it.
export function countdown(until, tell, over) {
  const end = Date.parse(until);
  const whole = Math.max(1, end - Date.now());
  const stop = () => clearInterval(timer);
  const look = () => {
    const left = Math.max(0, end - Date.now());
    tell(Math.ceil(left / 1000), (100 * left) / whole);
    if (!left) stop(), over();
  };
  const timer = setInterval(look, EVERY_MS);
  look();
  return stop;
}
