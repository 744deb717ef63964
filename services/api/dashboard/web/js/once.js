// What is asked for twice is done once: the same key goes along as long as the same is asked for.
const asked = new WeakMap();

// The header for what this element asks: what was done, and not answered, is not done again.
export function onceFor(element, ...what) {
  const said = JSON.stringify(what);
  if (asked.get(element)?.said !== said) {
    const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is there on encrypted pages only
    asked.set(element, { said, key: [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("") });
  }
  return { "Idempotency-Key": asked.get(element).key };
}

// It was answered: the same may be asked for again.
export function answered(element) {
  asked.delete(element);
}
