// Starts Swagger UI on the API document. A file of its own: the page may run no inline script.
"use strict";

// Whatever is typed into a form field, a browser may keep and offer again; a key it must not.
const forgetTyped = ({ React }) => ({
  wrapComponents: {
    Input: (Input) => (props) => React.createElement(Input, { ...props, autoComplete: "off" }),
  },
});

SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#reference",
  plugins: [forgetTyped],
  // An operation has an address: /schema#/cases/list_cases.
  deepLinking: true,
  // A key lives as long as the page, in its memory.
  persistAuthorization: false,
  // Nothing in the page's address may change what it does, least of all the document it loads.
  queryConfigEnabled: false,
  // Otherwise the document would be sent to another host to be checked.
  validatorUrl: null,
  // Operations come first; schemas stand closed below them.
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
});
