"""How the demo sources are drawn; `data_pipelines.demo.sources` is the public module.

noise -> textures, exteriors    what surfaces look like
solids -> furniture             shapes that rays meet, and what is built from them
indoors, outdoors -> scenes     a place: solids, light, a camera
raycast, light                  depth and colour of a scene
parts -> people, animals, vehicles, objects -> canvas -> cutouts
"""
