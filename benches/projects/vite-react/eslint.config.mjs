import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import globals from "globals";
import tseslint from "typescript-eslint";

export default tseslint.config(js.configs.recommended, tseslint.configs.recommended, {
  files: ["src/**/*.tsx"],
  plugins: { "react-hooks": hooks },
  languageOptions: { globals: globals.browser },
});
