import { Greeting } from "@mono/ui";
import { createRoot } from "react-dom/client";

createRoot(document.getElementById("root")).render(<Greeting name="you" />);
