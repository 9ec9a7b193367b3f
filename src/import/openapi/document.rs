//! The parts of an OpenAPI description, with references resolved.

use crate::config::Position;
use crate::import::error::ImportError;
use crate::import::yaml::Node;

/// The maximum number of references that are followed from one place.
const MAX_REFERENCES: usize = 16;

#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) root: &'a Node,
    /// OpenAPI 2.0.
    pub(super) swagger: bool,
}

impl<'a> Document<'a> {
    pub(super) fn new(root: &'a Node) -> Result<Self, ImportError> {
        let version = root.text_of("openapi").or_else(|| root.text_of("swagger"));
        let swagger = match version {
            Some(version) if version.starts_with("3.") => false,
            Some(version) if version == "2" || version.starts_with("2.") => true,
            Some(version) => {
                return Err(ImportError::at(
                    root.position,
                    format!("OpenAPI {version} is not supported; 2.0 and 3.x are"),
                ));
            }
            None => {
                let text = "this is not an OpenAPI description: it has neither \"openapi\" nor \"swagger\"";
                return Err(ImportError::at(root.position, text));
            }
        };
        Ok(Self { root, swagger })
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = (&'a str, Position, &'a Node)> + use<'a> {
        self.root.get("paths").into_iter().flat_map(Node::entries)
    }

    /// Follows `$ref` within the document.
    pub(super) fn resolve(&self, node: &'a Node) -> Result<&'a Node, String> {
        let mut node = node;
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = node.text_of("$ref") else { return Ok(node) };
            let Some(pointer) = reference.strip_prefix("#/") else {
                return Err(format!(
                    "{reference} is in another document; bundle the description into one file"
                ));
            };
            node = pointer
                .split('/')
                .try_fold(self.root, |node, part| {
                    node.get(
                        &part.replace("%7B", "{").replace("%7D", "}").replace("~1", "/").replace("~0", "~"),
                    )
                })
                .ok_or_else(|| format!("{reference} does not exist"))?;
        }
        Err("its references form a circle".to_owned())
    }

    /// The security schemes.
    pub(super) fn schemes(&self) -> Option<&'a Node> {
        if self.swagger {
            self.root.get("securityDefinitions")
        } else {
            self.root.get("components")?.get("securitySchemes")
        }
    }

    /// Returns the security requirements of an operation: its own, or those of the whole document. Returns
    /// `None` if there are none.
    pub(super) fn security(&self, operation: &'a Node) -> Option<&'a Node> {
        operation.get("security").or_else(|| self.root.get("security"))
    }
}
