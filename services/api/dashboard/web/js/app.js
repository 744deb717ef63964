// On every page.
import "./actions.js";
import "./beats.js";
import "./copying.js";
import "./dialogs.js";
import "./languages.js";
import "./live.js";
import "./parts.js";
import "./passwords.js";
import "./theme.js";
import "./times.js";
