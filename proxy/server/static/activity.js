import { html } from "./ui.js";
export const Activity = () => null;
