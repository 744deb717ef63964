// What the server wrote into the page for its scripts.
export const language = document.documentElement.lang || "en";
export const api = "/api/customer/whatsapp";

export function written(name) {
  return document.querySelector(`meta[name="${name}"]`)?.content ?? "";
}

const words = JSON.parse(written("words") || "{}");

// The sentence under this key, its {places} filled.
export function say(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

export function find(selector, within = document) {
  return within.querySelector(selector);
}

export function all(selector, within = document) {
  return [...within.querySelectorAll(selector)];
}

// An element with these properties; text is text, never markup.
export function made(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function icon(name, classes = "icon") {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", classes);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${written("icons")}#${name}`);
  svg.append(use);
  return svg;
}
